"""Nodes and workers with stores in common: one limit for all of them, a cache that outlives them, and stores that fail.

What cache channels do in general is in `test_cache_channels`, which runs with shared stores too.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

import pytest
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

from tests.clients.client import Answer, ApiClient, PusherClient, http
from tests.clients.raw import HttpConnection, RawWebSocket, request_bytes, upgrade_bytes
from tests.servers.nodes import Nodes, Serve
from tests.servers.redis_cluster import RedisClusterProcesses
from tests.servers.redis_server import RedisProcess
from tests.servers.server import KEY
from tests.servers.shared_stores import SHARING, in_redis, in_redis_cluster, serve_sharing, sharing
from tests.servers.topologies import TOPOLOGIES
from tests.support.waiting import eventually

LIMIT: Final = 25
# A Redis that hangs is given up after three seconds, and connected to again by and by.
HEALED_WITHIN: Final = 20.0


@pytest.fixture(params=SHARING)
def serve(request: pytest.FixtureRequest) -> Serve:
    """Each way for nodes to have stores in common."""
    return serve_sharing(request.param, request)


@pytest.fixture(params=["memory", "workers"])
def serve_on_own(request: pytest.FixtureRequest, own_redis: RedisProcess) -> Serve:
    """Nodes, and workers, whose stores are in a Redis that a test may end; their bus is elsewhere."""
    return sharing(TOPOLOGIES[request.param](request), in_redis(own_redis))


def limiter(requests: int = 1000, connections: int = 1000, seconds: int = 60) -> dict[str, Any]:
    return {
        "enabled": True,
        "api_rate_limit": {"max_requests": requests, "window_seconds": seconds},
        "websocket_rate_limit": {"max_requests": connections, "window_seconds": seconds},
    }


def statuses(answers: list[Answer]) -> list[int]:
    return sorted(answer.status for answer in answers)


# One limit


async def test_exactly_the_allowed_requests_pass_on_all_nodes_together(serve: Serve) -> None:
    async with serve(rate_limiter=limiter(LIMIT)) as server:
        answers = await asyncio.gather(*(ApiClient(server.port).get("/channels") for _ in range(LIMIT + 15)))
    assert statuses(answers) == [200] * LIMIT + [429] * 15
    assert {answer.headers["x-ratelimit-limit"] for answer in answers} == {str(LIMIT)}
    # Each of those that pass is told of another number that is left, whichever node it is on.
    left = [int(answer.headers["x-ratelimit-remaining"]) for answer in answers if answer.status == 200]
    assert sorted(left) == list(range(LIMIT))
    for answer in answers:
        assert 1 <= int(answer.headers["x-ratelimit-reset"]) <= 60
        if answer.status == 429:
            assert "rate_limiter.api_rate_limit" in answer.error(429)
            assert answer.headers["x-ratelimit-remaining"] == "0"
            assert answer.headers["retry-after"] == answer.headers["x-ratelimit-reset"]


async def test_what_is_left_counts_down_from_node_to_node(serve: Serve) -> None:
    async with serve(rate_limiter=limiter(5)) as server:
        answers = [await http(server.port, "GET", "/nowhere") for _ in range(7)]
        assert [answer.status for answer in answers] == [404] * 5 + [429] * 2
        assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["4", "3", "2", "1", "0", "0", "0"]
        # Probes are answered, and every node agrees.
        for port in server.own:
            assert (await http(port, "GET", "/up")).status == 200
            assert (await ApiClient(port).get("/channels")).status == 429


async def test_a_window_that_is_over_is_over_on_every_node(serve: Serve) -> None:
    async with serve(rate_limiter=limiter(3, seconds=1)) as server:

        async def asked() -> list[int]:
            return statuses(await asyncio.gather(*(ApiClient(port).get("/channels") for port in server.own * 3)))

        total = 3 * len(server.own)
        assert await asked() == [200] * 3 + [429] * (total - 3)
        await eventually(asked, [200] * 3 + [429] * (total - 3))


async def test_exactly_the_allowed_connections_are_taken_by_all_nodes_together(serve: Serve) -> None:
    async with serve(rate_limiter=limiter(requests=2, connections=6)) as server, contextlib.AsyncExitStack() as stack:

        async def connect_to(port: int) -> Response | None:
            try:
                await stack.enter_async_context(PusherClient(port))
            except InvalidStatus as refused:
                return refused.response
            return None

        answers = await asyncio.gather(*(connect_to(server.port) for _ in range(14)))
        refusals = [answer for answer in answers if answer is not None]
        assert len(refusals) == 14 - 6
        for answer in refusals:
            assert answer.status_code == 429
            assert (answer.headers["X-RateLimit-Limit"], answer.headers["X-RateLimit-Remaining"]) == ("6", "0")
        # Requests are counted apart.
        found = await asyncio.gather(*(ApiClient(server.port).get("/channels") for _ in range(4)))
        assert statuses(found) == [200, 200, 429, 429]


# One cache


async def test_the_last_event_outlives_every_node(serve: Serve) -> None:
    async with serve() as server:
        for number, port in enumerate(server.own):
            await ApiClient(port).trigger(f"cache-{number}", {"from": number})
        count = len(server.own)
    async with serve() as server:
        for port in server.own:
            async with PusherClient(port) as client:
                for number in range(count):
                    await client.ask_for(f"cache-{number}")
                    await client.expect("pusher_internal:subscription_succeeded")
                    assert (await client.expect("event"))["data"] == f'{{"from":{number}}}'
                await client.expect_nothing()


async def test_what_the_cache_has_is_told_by_every_node(serve: Serve) -> None:
    async with serve() as server:
        await ApiClient(server.own[0]).trigger("cache-a", "x")
        for port in server.own:
            told = (await ApiClient(port).get("/channels/cache-a", info="cache")).json()["cache"]
            assert told["data"] == "x"
            assert 3590 <= told["ttl"] <= 3600


async def test_an_event_comes_once_to_every_subscriber_early_or_late(serve: Serve) -> None:
    async with serve() as server, contextlib.AsyncExitStack() as stack:
        early = [await stack.enter_async_context(PusherClient(port)) for port in server.own]
        late = [await stack.enter_async_context(PusherClient(port)) for port in server.own]
        for client in early:
            await client.subscribe("presence-cache-a", {"user_id": "ann"})
            await client.expect("pusher:cache_miss")
        await server.settled()
        await ApiClient(server.port).trigger("presence-cache-a", "x")
        for client in late:
            await client.subscribe("presence-cache-a", {"user_id": "ann"})
        for client in (*early, *late):
            assert (await client.expect("event"))["data"] == "x"
        await server.settled()
        for client in (*early, *late):
            await client.expect_nothing()


# Answers that wait for a store


async def test_an_upgrade_to_something_else_is_answered_like_any_request(serve: Serve) -> None:
    headers = {"Upgrade": "h2c", "Connection": "Upgrade"}
    async with serve() as server, HttpConnection(server.port) as connection:
        await connection.write(request_bytes("GET", "/up", headers=headers) + request_bytes("GET", "/up"))
        for _ in range(2):
            assert (await connection.answer()).body == b"OK"


async def test_a_refused_upgrade_to_something_else_ends_the_connection(serve: Serve) -> None:
    async with serve(rate_limiter=limiter()) as server, HttpConnection(server.port) as connection:
        headers = {"Upgrade": "h2c", "Connection": "Upgrade"}
        (await connection.request("GET", "/nowhere", headers=headers)).error(404)
        await connection.expect_end()


# Stores that fail


async def health(server: Nodes) -> list[tuple[int, bytes]]:
    answers = [await http(port, "GET", "/up") for port in server.own]
    return [(answer.status, answer.body) for answer in answers]


async def all_say(server: Nodes, status: int, word: bytes) -> None:
    await eventually(lambda: health(server), [(status, word)] * len(server.own), within=HEALED_WITHIN)


async def test_clients_are_served_without_the_cache_and_find_it_again(
    serve_on_own: Serve, own_redis: RedisProcess
) -> None:
    async with serve_on_own() as server, contextlib.AsyncExitStack() as stack:
        await ApiClient(server.port).trigger("cache-a", "before")
        await asyncio.to_thread(own_redis.kill)
        await all_say(server, 503, b"ERROR")
        clients = [await stack.enter_async_context(PusherClient(port)) for port in server.own]
        for client in clients:
            await client.subscribe("cache-a")
            await client.expect("pusher:cache_miss")
        await server.settled()
        # Published all the same, also to other nodes, and kept for later by the node that took it.
        await ApiClient(server.own[0]).trigger("cache-a", "meanwhile")
        for client in clients:
            assert (await client.expect("event"))["data"] == "meanwhile"
        (await ApiClient(server.own[0]).get("/channels/cache-a", info="cache")).error(503)
        await asyncio.to_thread(own_redis.start)
        await all_say(server, 200, b"OK")
        await eventually(lambda: _last_events(server, "cache-a"), ["meanwhile"] * len(server.own))


async def test_another_nodes_event_is_not_missed_while_the_cache_hangs(
    serve_on_own: Serve, own_redis: RedisProcess
) -> None:
    async with (
        serve_on_own() as server,
        PusherClient(server.own[0]) as client,
        PusherClient(server.own[1]) as witness,
    ):
        await ApiClient(server.port).trigger("cache-a", "old")
        await witness.subscribe("news")
        own_redis.pause()
        try:
            await client.ask_for("cache-a")
            # Longer than a topic without subscribers is kept for.
            await asyncio.sleep(1.5)
            body = {"name": "event", "channels": ["cache-a", "news"], "data": "new"}
            publishing = asyncio.create_task(ApiClient(server.own[1]).post("/events", body))
            await witness.expect("event")
            await server.settled()
            assert not publishing.done()
        finally:
            own_redis.resume()
        assert (await publishing).status == 200
        await client.expect("pusher_internal:subscription_succeeded")
        assert (await client.expect("event"))["data"] == "new"
        await client.expect_nothing()


async def test_the_cache_may_be_a_cluster_that_goes_away(
    request: pytest.FixtureRequest, own_redis_cluster: RedisClusterProcesses
) -> None:
    serve = sharing(TOPOLOGIES["memory"](request), in_redis_cluster(own_redis_cluster))
    async with serve(rate_limiter=limiter()) as server, PusherClient(server.port) as client:
        await asyncio.to_thread(own_redis_cluster.kill)
        await all_say(server, 503, b"ERROR")
        (await ApiClient(server.port).get("/channels")).error(500)
        for channel in ("cache-a", "cache-b", "cache-c"):
            await client.subscribe(channel)
            await client.expect("pusher:cache_miss")
        await asyncio.to_thread(own_redis_cluster.start)
        await all_say(server, 200, b"OK")
        for channel in ("cache-a", "cache-b", "cache-c"):
            await ApiClient(server.port).trigger(channel, "x")
            assert (await client.expect("event"))["data"] == "x"
        assert await _last_events(server, "cache-b") == ["x"] * len(server.own)


async def test_nobody_new_is_let_in_while_requests_cannot_be_counted(
    serve_on_own: Serve, own_redis: RedisProcess
) -> None:
    async with (
        serve_on_own(rate_limiter=limiter(), cache={"driver": "memory"}) as server,
        PusherClient(server.own[0]) as client,
    ):
        await client.subscribe("private-a")
        await asyncio.to_thread(own_redis.kill)
        # Connected clients are served all the same.
        await all_say(server, 200, b"DEGRADED")
        for port in server.own:
            answer = await ApiClient(port).get("/channels")
            assert "rate_limiter.driver" in answer.error(500)
            assert "x-ratelimit-limit" not in answer.headers
            async with RawWebSocket(port) as raw:
                await raw.write(upgrade_bytes(f"/app/{KEY}"))
                assert "rate_limiter.driver" in (await raw.answer()).error(500)
        await client.expect_nothing()
        await asyncio.to_thread(own_redis.start)
        await all_say(server, 200, b"OK")
        for port in server.own:
            assert (await ApiClient(port).get("/channels")).status == 200
            async with PusherClient(port) as another:
                await another.expect_nothing()


async def test_open_admits_everybody_while_requests_cannot_be_counted(
    serve_on_own: Serve, own_redis: RedisProcess
) -> None:
    settings = {**limiter(requests=2), "on_store_error": "open"}
    async with serve_on_own(rate_limiter=settings, cache={"driver": "memory"}) as server:
        await asyncio.to_thread(own_redis.kill)
        await all_say(server, 200, b"DEGRADED")
        for port in server.own:
            for _ in range(5):
                answer = await ApiClient(port).get("/channels")
                assert answer.status == 200
                assert not [name for name in answer.headers if name.startswith("x-ratelimit")]
            async with PusherClient(port) as client:
                await client.expect_nothing()
        await asyncio.to_thread(own_redis.start)
        await all_say(server, 200, b"OK")
        found = [await ApiClient(server.port).get("/channels") for _ in range(4)]
        assert statuses(found) == [200, 200, 429, 429]


async def _last_events(server: Nodes, channel: str) -> list[str | None]:
    """What somebody who subscribes is told of the last event, on each node."""
    told = []
    for port in server.own:
        async with PusherClient(port) as client:
            await client.subscribe(channel)
            told.append((await client.receive()).get("data"))
    return told
