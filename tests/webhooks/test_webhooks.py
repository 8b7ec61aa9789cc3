"""What a node tells its webhooks, and how they leave; what receivers get of it is in the scenarios."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sockudo.apps.app import App
from sockudo.apps.webhook import Webhook
from sockudo.cluster.local import NoPeers
from sockudo.eventual import Eventual, Future
from sockudo.queues.base import Delivery, Done, Outcome
from sockudo.queues.memory import MemoryQueue, MemoryQueueOptions
from sockudo.webhooks.base import WebhookEvents
from sockudo.webhooks.webhooks import Webhooks, WebhookTimes
from tests.fakes.clock import FakeClock
from tests.fakes.node import APP_ID, make_app

ALL = frozenset({"channel_occupied", "channel_vacated", "cache_miss", "subscription_count", "connection_terminated"})


class World:
    """Nothing is on any channel but what `occupied` says."""

    def __init__(self, options: MemoryQueueOptions | None = None) -> None:
        self.clock = FakeClock()
        self.app: App | None = make_app(webhooks=(Webhook("http://x/", ALL),))
        self.other = make_app(id="other", webhooks=(Webhook("http://y/", ALL),))
        self.asked: Future[App | None] | None = None
        self.occupied: set[str] = set()
        self.queue = MemoryQueue(self.clock, options)
        self.told: list[str] = []
        self.webhooks = Webhooks(self, self, NoPeers(), self.queue, self.clock, WebhookTimes())
        self.webhooks.begin()

    def known(self, app_id: str) -> App | None:
        return self.other if app_id == "other" else self.app

    def forget(self, app_id: str) -> None:
        raise AssertionError("nothing here forgets an app")

    def by_id(self, app_id: str) -> Eventual[App | None]:
        return self.app if self.asked is None else self.asked

    def is_occupied(self, app_id: str, name: str) -> bool:
        return name in self.occupied

    def has_member(self, app_id: str, name: str, user_id: str) -> bool:
        return False

    async def handle(self, delivery: Delivery) -> Outcome:
        events: list[dict[str, Any]] = json.loads(delivery.job)["events"]
        self.told += [" ".join([event["name"], event.get("channel", "")]).strip() for event in events]
        return Done()

    async def events(self) -> list[str]:
        """Return what has been told since the last call."""
        self.clock.advance(0.1)
        for _ in range(10):
            await asyncio.sleep(0)
        told, self.told = self.told, []
        return told


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    await world.queue.start(world.handle)
    yield world
    await world.queue.aclose()


def test_webhooks_implement_every_method_of_their_interface() -> None:
    methods = {name for name in vars(WebhookEvents) if not name.startswith("_")}
    assert methods
    assert not methods - vars(Webhooks).keys()


async def test_a_channel_without_an_event_is_told_once_a_second(world: World) -> None:
    assert world.app is not None
    for _ in range(3):
        world.webhooks.cache_miss(world.app, "cache-a")
    world.webhooks.cache_miss(world.app, "cache-b")
    assert await world.events() == ["cache_miss cache-a", "cache_miss cache-b"]
    world.webhooks.cache_miss(world.app, "cache-a")
    assert await world.events() == []
    world.clock.advance(1)
    world.webhooks.cache_miss(world.app, "cache-a")
    assert await world.events() == ["cache_miss cache-a"]


async def test_apps_that_are_gone_or_lack_webhooks_report_nothing(world: World) -> None:
    known = world.app
    for app in (None, make_app()):
        world.app = app
        world.occupied.add("news")
        world.webhooks.channel_occupied(APP_ID, "news")
        world.webhooks.subscription_count(APP_ID, "news", 1)
        assert await world.events() == []
    # An app that goes while something of it is held.
    world.app = known
    world.occupied.discard("news")
    world.webhooks.channel_vacated(APP_ID, "news")
    assert world.webhooks.transitions.waiting == 1
    world.app = None
    world.clock.advance(5)
    assert await world.events() == []
    assert world.webhooks.transitions.waiting == 0


async def test_a_connection_is_told_where_that_is_wanted(world: World) -> None:
    assert world.app is not None
    world.webhooks.connection_established(world.app, "1.2")
    world.webhooks.connection_terminated(world.app, "1.2")
    assert await world.events() == ["connection_terminated"]


async def test_the_last_node_tells_at_once_what_it_holds(world: World) -> None:
    world.occupied.add("news")
    world.webhooks.channel_occupied(APP_ID, "news")
    assert await world.events() == ["channel_occupied news"]
    world.occupied.clear()
    world.webhooks.channel_vacated(APP_ID, "news")
    await asyncio.wait_for(world.webhooks.leave(5), 2)
    assert await world.events() == ["channel_vacated news"]
    assert world.clock.timers == 0


async def test_leaving_without_anything_to_tell_takes_no_time(world: World) -> None:
    await asyncio.wait_for(world.webhooks.leave(60), 0.5)


async def test_changes_of_an_unknown_app_are_told_once_known(world: World) -> None:
    app, world.app, world.asked = world.app, None, asyncio.get_running_loop().create_future()
    world.occupied.add("news")
    world.webhooks.channel_occupied(APP_ID, "news")
    for count in (1, 2):
        world.webhooks.subscription_count(APP_ID, "news", count)
    assert await world.events() == []
    world.app = app
    world.asked.set_result(app)
    await asyncio.sleep(0)
    assert await world.events() == ["channel_occupied news", "subscription_count news"]


async def test_an_app_whose_queue_is_full_delays_no_other() -> None:
    world = World(MemoryQueueOptions(max_jobs=4))
    gate = asyncio.Event()

    async def handle(delivery: Delivery) -> Outcome:
        if not delivery.lane.startswith("other/"):
            await gate.wait()
        return await world.handle(delivery)

    await world.queue.start(handle)
    for number in range(3):
        # One that is made, and one that waits; then its lane has as much as is left.
        world.occupied.add(f"news-{number}")
        world.webhooks.channel_occupied(APP_ID, f"news-{number}")
        assert await world.events() == []
    world.occupied.add("quick")
    world.webhooks.channel_occupied("other", "quick")
    assert await world.events() == ["channel_occupied quick"]
    gate.set()
    assert await world.events() == ["channel_occupied news-0", "channel_occupied news-1"]
    world.clock.advance(1)
    assert await world.events() == ["channel_occupied news-2"]
    await world.queue.aclose()
