"""How many subscribers a channel has, told to the subscribers where the app has it switched on."""

from __future__ import annotations

import time

import pytest

from tests.clients.client import PusherClient
from tests.servers.nodes import Serve
from tests.servers.server import app

pytestmark = pytest.mark.every_topology

COUNTING = app(enable_subscription_count=True)


async def test_it_is_off_by_default(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        await client.subscribe("news")
        await client.expect_nothing()


@pytest.mark.parametrize("channel", ["news", "private-a", "private-encrypted-a"])
async def test_a_subscriber_is_told_after_its_success(serve: Serve, channel: str) -> None:
    async with serve(COUNTING) as server, PusherClient(server.port) as client:
        await client.subscribe(channel)
        assert await client.receive() == {
            "event": "pusher_internal:subscription_count",
            "channel": channel,
            "data": '{"subscription_count":1}',
        }
        await client.expect_nothing()


async def test_it_never_comes_on_presence_channels(serve: Serve) -> None:
    async with serve(COUNTING) as server, PusherClient(server.port) as client:
        await client.subscribe("presence-room", {"user_id": "ann"})
        await client.expect_nothing()


async def test_counts_come_once_a_second_and_the_last_always(serve: Serve) -> None:
    async with (
        serve(COUNTING, speed=20) as server,
        PusherClient(server.port) as watcher,
        PusherClient(server.port) as client,
    ):
        await watcher.subscribe("news")
        assert (await watcher.expect("pusher_internal:subscription_count"))["data"] == '{"subscription_count":1}'
        began = time.monotonic()
        for _ in range(20):
            await client.ask_for("news")
            await client.send({"event": "pusher:unsubscribe", "data": {"channel": "news"}})
        await client.ask_for("news")
        counts: list[str] = []
        while not counts or counts[-1] != '{"subscription_count":2}':
            counts.append((await watcher.expect("pusher_internal:subscription_count"))["data"])
        assert len(counts) < 2 + (time.monotonic() - began) * 20


async def test_who_stays_is_told_when_another_leaves(serve: Serve) -> None:
    async with serve(COUNTING, speed=20) as server, PusherClient(server.port) as stays:
        await stays.subscribe("news")
        async with PusherClient(server.port) as client:
            await client.subscribe("news")
            data = ""
            while data != '{"subscription_count":2}':
                data = (await stays.expect("pusher_internal:subscription_count"))["data"]
        assert (await stays.expect("pusher_internal:subscription_count"))["data"] == '{"subscription_count":1}'
