"""Cache channels: the last event is kept for those who come later."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.client import ApiClient, PusherClient
from tests.support.nodes import Serve
from tests.support.server import app

CACHED = ["cache-a", "private-cache-a", "private-encrypted-cache-a", "presence-cache-a"]
NOT_CACHED = ["news", "my-cache-a", "private-a", "private-my-cache-a", "presence-a", "encrypted-cache-a"]


def member(channel: str) -> dict[str, str] | None:
    return {"user_id": "ann"} if channel.startswith("presence-") else None


@pytest.mark.parametrize("channel", CACHED)
async def test_a_newcomer_gets_the_last_event_after_its_success(serve: Serve, channel: str) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        api = ApiClient(server.port)
        await api.trigger(channel, "old", name="first")
        await api.trigger(channel, {"new": True}, name="second")
        await server.settled()
        await client.ask_for(channel, member(channel))
        await client.expect("pusher_internal:subscription_succeeded")
        assert await client.receive() == {"event": "second", "channel": channel, "data": '{"new":true}'}
        await client.expect_nothing()


@pytest.mark.parametrize("channel", CACHED)
async def test_a_newcomer_is_told_that_nothing_is_kept(serve: Serve, channel: str) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        await client.ask_for(channel, member(channel))
        await client.expect("pusher_internal:subscription_succeeded")
        assert await client.receive() == {"event": "pusher:cache_miss", "channel": channel}
        await client.expect_nothing()


@pytest.mark.parametrize("channel", NOT_CACHED)
async def test_any_other_channel_keeps_nothing_and_says_nothing_of_it(serve: Serve, channel: str) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        await ApiClient(server.port).trigger(channel, "x")
        await client.subscribe(channel, member(channel))
        await client.expect_nothing()


async def test_the_order_on_subscribe_is_success_then_cached_event_then_count(serve: Serve) -> None:
    async with serve(app(enable_subscription_count=True)) as server, PusherClient(server.port) as client:
        await ApiClient(server.port).trigger("cache-a", "x")
        await server.settled()
        await client.ask_for("cache-a")
        await client.expect("pusher_internal:subscription_succeeded")
        await client.expect("event")
        await client.expect("pusher_internal:subscription_count")
        await client.ask_for("cache-b")
        await client.expect("pusher_internal:subscription_succeeded")
        await client.expect("pusher:cache_miss")
        await client.expect("pusher_internal:subscription_count")


async def test_subscribing_again_brings_the_cached_event_again(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        await ApiClient(server.port).trigger("cache-a", "x")
        await server.settled()
        for _ in range(2):
            await client.subscribe("cache-a")
            assert (await client.expect("event"))["data"] == "x"


async def test_a_client_event_is_not_kept(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        for client in (ann, bob):
            await client.subscribe("private-cache-a")
            await client.expect("pusher:cache_miss")
        await ann.trigger("private-cache-a", "client-x", "data")
        await bob.expect("client-x")
        await bob.unsubscribe("private-cache-a")
        await bob.subscribe("private-cache-a")
        await bob.expect("pusher:cache_miss")


async def test_the_event_outlives_the_last_subscriber(serve: Serve) -> None:
    async with serve() as server:
        async with PusherClient(server.port) as client:
            await client.subscribe("cache-a")
            await ApiClient(server.port).trigger("cache-a", "x")
        await server.settled()
        async with PusherClient(server.port) as client:
            await client.subscribe("cache-a")
            assert (await client.expect("event"))["data"] == "x"


async def test_an_event_is_kept_for_its_time_only(serve: Serve) -> None:
    async with serve(speed=10, channel_limits={"cache_ttl": 10}) as server, PusherClient(server.port) as client:
        await ApiClient(server.port).trigger("cache-a", "x")
        await server.settled()
        apis = [ApiClient(port) for port in server.own]
        for api in apis:
            cached = await _cached(api)
            assert cached["data"] == "x"
            assert 1 <= cached["ttl"] <= 10
        for api in apis:
            while await _cached(api) is not None:
                pass
        await client.subscribe("cache-a")
        await client.expect("pusher:cache_miss")


async def _cached(api: ApiClient) -> Any:
    return (await api.get("/channels/cache-a", info="cache")).json()["cache"]


async def test_with_the_cache_off_every_newcomer_misses(serve: Serve) -> None:
    async with serve(cache={"driver": "none"}) as server, PusherClient(server.port) as client:
        await ApiClient(server.port).trigger("cache-a", "x")
        await client.subscribe("cache-a")
        await client.expect("pusher:cache_miss")


async def test_two_apps_do_not_share_what_is_kept(serve: Serve) -> None:
    apps = app(), app(id="other", key="other-key", secret="other-secret")
    async with serve(*apps) as server, PusherClient(server.port, "other-key", "other-secret") as client:
        await ApiClient(server.port).trigger("cache-a", "x")
        await client.subscribe("cache-a")
        await client.expect("pusher:cache_miss")


async def test_the_excluded_socket_is_excluded_from_delivery_only(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        await ApiClient(server.port).trigger("cache-a", "x", socket_id=client.socket_id)
        await server.settled()
        await client.subscribe("cache-a")
        await client.expect("event")
