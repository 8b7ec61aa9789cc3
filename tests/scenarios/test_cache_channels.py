"""Cache channels: the last event is kept for those who come later."""

from __future__ import annotations

import asyncio
import contextlib
import json
from itertools import count
from typing import Any

import pytest

from tests.clients.client import ApiClient, PusherClient
from tests.clients.raw import HttpConnection
from tests.servers.nodes import Serve
from tests.servers.server import app
from tests.servers.shared_stores import SHARING, serve_sharing
from tests.servers.topologies import TOPOLOGIES

pytestmark = pytest.mark.every_topology

CACHED = ["cache-a", "private-cache-a", "private-encrypted-cache-a", "presence-cache-a"]
NOT_CACHED = ["news", "my-cache-a", "private-a", "private-my-cache-a", "presence-a", "encrypted-cache-a"]

# These servers read their connections at the same time: a node may ask for what is kept before it is told of an event
# that another one sent earlier. It is told a moment later then.
READ_AT_THE_SAME_TIME = {"nats", "rabbitmq", "kafka"}
ANSWERED = 12
JOINERS = 30
TAIL = 20


@pytest.fixture(params=[*TOPOLOGIES, *SHARING])
def serve(request: pytest.FixtureRequest) -> Serve:
    """Each way to serve, with the cache in each node, and with one that the nodes share."""
    name: str = request.param
    return serve_sharing(name, request) if name in SHARING else TOPOLOGIES[name](request)


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


async def test_a_subscriber_gets_success_then_cached_event_then_count(serve: Serve) -> None:
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
    # A store that is shared has a clock of its own.
    async with serve(speed=2, channel_limits={"cache_ttl": 2}) as server, PusherClient(server.port) as client:
        await ApiClient(server.port).trigger("cache-a", "x")
        await server.settled()
        apis = [ApiClient(port) for port in server.own]
        for api in apis:
            cached = await _cached(api)
            assert cached["data"] == "x"
            assert 1 <= cached["ttl"] <= 2
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


async def test_newcomers_in_a_burst_get_the_last_and_later_events(serve: Serve, request: pytest.FixtureRequest) -> None:
    is_shared = request.node.callspec.params["serve"] in SHARING
    async with serve() as server:
        is_over = asyncio.Event()
        publishing = asyncio.create_task(_publish_in_a_row(server.port, is_over))
        tails = await asyncio.gather(*(_join(server.port, number) for number in range(JOINERS)))
        is_over.set()
        await publishing
    for kept, *numbers in tails:
        assert numbers == list(range(numbers[0], numbers[0] + TAIL - 1))
        # A cache and a bus that are two things: an event may be on neither way for who comes before it is answered.
        assert kept in ((numbers[0] - 1, numbers[0] - 2) if is_shared else (numbers[0] - 1,))


async def test_an_answered_event_is_found_on_every_other_node(serve: Serve, request: pytest.FixtureRequest) -> None:
    may_be_late = request.node.callspec.params["serve"] in READ_AT_THE_SAME_TIME
    async with serve() as server, contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(PusherClient(port)) for port in server.own]
        for number in range(ANSWERED):
            channels = [f"cache-{number}-{one}" for one in range(100)]
            body = {"name": "event", "channels": channels, "data": str(number)}
            assert (await ApiClient(server.own[number % len(server.own)]).post("/events", body)).status == 200
            for client in clients:
                await client.ask_for(channels[-1])
                await client.expect("pusher_internal:subscription_succeeded")
                frame = await client.receive()
                if may_be_late and frame["event"] == "pusher:cache_miss":
                    frame = await client.receive()
                assert (frame["event"], frame["data"]) == ("event", str(number))


async def _publish_in_a_row(port: int, is_over: asyncio.Event) -> None:
    """Publish numbered events to a channel for each joiner, one after the other, until all have come."""
    channels = [f"cache-{number}" for number in range(JOINERS)]
    async with HttpConnection(port) as connection:
        api = ApiClient(port)
        for number in count():
            body = json.dumps({"name": "event", "channels": channels, "data": str(number)}).encode()
            assert (await connection.request("POST", api.target("POST", "/events", body), body)).status == 200
            if is_over.is_set():
                return


async def _join(port: int, number: int) -> list[int]:
    """Subscribe at some moment, to a channel of its own; return the numbers of the events that come first."""
    async with PusherClient(port) as client:
        for _ in range(number):
            await client.expect_nothing()
        await client.ask_for(f"cache-{number}")
        await client.expect("pusher_internal:subscription_succeeded")
        frames = [await client.receive() for _ in range(TAIL + 1)]
    # The very first may have come before any event.
    events = [frame for frame in frames if frame["event"] == "event"]
    return [int(frame["data"]) for frame in events[:TAIL]]
