from __future__ import annotations

import asyncio
import json
from typing import Any

from sockudo.apps.webhook import ChannelFilter, Webhook
from sockudo.errors import DriverError
from sockudo.queues.memory import MemoryQueue, MemoryQueueOptions
from sockudo.webhooks.delivery.dispatcher import MAX_BYTES, MAX_EVENTS, Dispatcher
from tests.fakes.clock import FakeClock
from tests.fakes.node import make_app

ONE = Webhook("http://one/", frozenset({"client_event", "subscription_count"}))
TWO = Webhook("http://two/", frozenset({"client_event"}), filter=ChannelFilter(prefix="a"))
APP = make_app(webhooks=(ONE, TWO))


class RecordingQueue(MemoryQueue):
    """A queue of which a test decides when, and whether, it accepts."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock, MemoryQueueOptions())
        self.pushed: list[tuple[str, dict[str, Any]]] = []
        self.futures: list[asyncio.Future[None]] = []

    def push(self, lane: str, job: bytes) -> asyncio.Future[None]:
        self.pushed.append((lane, json.loads(job)))
        self.futures.append(asyncio.get_running_loop().create_future())
        return self.futures[-1]

    def sizes(self) -> list[int]:
        return [len(job["events"]) for _, job in self.pushed]


class World:
    def __init__(self, duration: float | None = 0.05) -> None:
        self.clock = FakeClock()
        self.queue = RecordingQueue(self.clock)
        self.dispatcher = Dispatcher(self.queue, self.clock, duration)
        self.sent: list[bool] = []

    def send(self, number: int, channel: str = "news", name: str = "client_event", **more: Any) -> bool:
        event = b'{"n":%d}' % number
        return self.dispatcher.send(APP, name, channel, event, number, self.sent.append, **more)


async def test_events_of_a_moment_reach_each_endpoint_as_one_job() -> None:
    world = World()
    assert world.send(1)
    world.clock.advance(0.03)
    assert world.send(2, "a")
    assert not world.send(3, "a", "cache_miss")
    assert world.queue.pushed == []
    world.clock.advance(0.02)
    job = {"app": APP.id, "webhook": ONE.id, "time_ms": 1, "events": [{"n": 1}, {"n": 2}]}
    assert world.queue.pushed == [
        (f"{APP.id}/{ONE.id}", job),
        (f"{APP.id}/{TWO.id}", {**job, "webhook": TWO.id, "time_ms": 2, "events": [{"n": 2}]}),
    ]
    assert world.clock.timers == 0
    world.clock.advance(1)
    assert len(world.queue.pushed) == 2


async def test_a_job_has_no_secret_and_no_address() -> None:
    world = World()
    world.send(1)
    world.dispatcher.flush()
    text = json.dumps(world.queue.pushed)
    assert "app-secret" not in text
    assert "http" not in text


async def test_a_batch_is_bounded_by_events_and_by_bytes() -> None:
    world = World()
    for number in range(2 * MAX_EVENTS + 1):
        world.send(number)
    assert world.queue.sizes() == [MAX_EVENTS, MAX_EVENTS]
    world.dispatcher.flush()
    assert world.queue.sizes() == [MAX_EVENTS, MAX_EVENTS, 1]
    big = b'{"d":"%b"}' % (b"x" * (MAX_BYTES // 2))
    for _ in range(3):
        world.dispatcher.send(APP, "client_event", "news", big, 1)
    world.dispatcher.flush()
    assert world.queue.sizes()[3:] == [1, 1, 1]


async def test_without_batching_each_event_is_a_job_at_once() -> None:
    world = World(None)
    world.send(1)
    world.send(2)
    assert world.queue.sizes() == [1, 1]
    assert world.clock.timers == 0


async def test_a_batch_keeps_the_last_count_in_its_place() -> None:
    world = World()
    for number in range(3):
        world.send(number, name="subscription_count", replaces=("count", "news"))
        world.send(10 + number)
    world.send(7, "other", "subscription_count", replaces=("count", "other"))
    world.dispatcher.flush()
    job = world.queue.pushed[0][1]
    assert [event["n"] for event in job["events"]] == [10, 11, 2, 12, 7]
    # The first one is not the one that the batch began with.
    assert job["time_ms"] == 10


async def test_who_waits_hears_once_whether_any_endpoint_will_get_it() -> None:
    world = World()
    world.send(1, "a")
    world.send(2)
    world.dispatcher.flush()
    assert world.dispatcher.unaccepted == 2
    world.queue.futures[1].set_exception(DriverError("full"))
    await asyncio.sleep(0)
    assert world.sent == []
    world.queue.futures[0].set_result(None)
    await asyncio.sleep(0)
    assert world.sent == [True, True]
    world.send(3)
    world.dispatcher.flush()
    world.queue.futures[2].set_exception(DriverError("full"))
    await asyncio.sleep(0)
    assert world.sent == [True, True, False]
    assert (world.dispatcher.counters.events, world.dispatcher.counters.refused) == (3, 2)


async def test_leaving_waits_for_the_queue_but_not_for_ever() -> None:
    world = World()
    world.send(1)
    waiting = asyncio.create_task(world.dispatcher.accepted(5))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    world.queue.futures[0].set_result(None)
    await asyncio.wait_for(waiting, 1)
    assert world.sent == [True]
    world.send(2)
    await asyncio.wait_for(world.dispatcher.accepted(0.01), 1)
    assert world.dispatcher.unaccepted == 1
    world.queue.futures[1].cancel()
