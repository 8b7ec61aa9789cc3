"""Webhooks as a back end receives them, from one node and from three."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sockudo.queues.base import FailedJob
from tests.clients.client import ApiClient, PusherClient
from tests.servers.nodes import Serve
from tests.servers.server import app
from tests.servers.webhook_receiver import Received, WebhookReceiver, webhook_receiver

pytestmark = pytest.mark.every_topology

EVERY_TYPE = [
    "channel_occupied",
    "channel_vacated",
    "member_added",
    "member_removed",
    "client_event",
    "cache_miss",
    "subscription_count",
]
# Long enough that what a test does in one go is in time, short enough to wait for.
HOLD_MS = 400


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with webhook_receiver() as receiver:
        yield receiver


def hook(receiver: WebhookReceiver, *types: str, path: str = "/", **more: Any) -> dict[str, Any]:
    return {"url": receiver.url + path, "event_types": list(types or EVERY_TYPE)} | more


def options(**changes: Any) -> dict[str, Any]:
    return {"webhooks": {"hold_ms": HOLD_MS, "batching": {"enabled": True, "duration": 20}} | changes}


async def test_a_channel_and_its_members_come_and_go(serve: Serve, receiver: WebhookReceiver) -> None:
    types = ("channel_occupied", "channel_vacated", "member_added", "member_removed")
    async with serve(app(webhooks=[hook(receiver, *types)]), **options()) as server:
        async with PusherClient(server.port) as ann, PusherClient(server.port) as bob:
            await ann.subscribe("presence-room", {"user_id": "ann"})
            await receiver.expect("channel_occupied presence-room", "member_added presence-room ann")
            await bob.subscribe("presence-room", {"user_id": 7})
            await receiver.until(lambda: len(receiver.events) == 3)
            await bob.unsubscribe("presence-room")
            await receiver.until(lambda: len(receiver.events) == 4)
        await receiver.expect(
            "channel_occupied presence-room",
            "member_added presence-room ann",
            "member_added presence-room 7",
            "member_removed presence-room 7",
            "member_removed presence-room ann",
            "channel_vacated presence-room",
        )
    for request in receiver.requests:
        request.check()
    assert receiver.events[0] == {"name": "channel_occupied", "channel": "presence-room"}
    assert receiver.events[2] == {"name": "member_added", "channel": "presence-room", "user_id": "7"}


async def test_who_comes_back_in_time_was_never_away(serve: Serve, receiver: WebhookReceiver) -> None:
    types = ("channel_occupied", "channel_vacated", "member_added", "member_removed")
    async with serve(app(webhooks=[hook(receiver, *types)]), **options(hold_ms=1500)) as server:
        for _ in range(4):
            async with PusherClient(server.port) as client:
                await client.subscribe("presence-room", {"user_id": "ann"})
        async with PusherClient(server.port) as client:
            await client.subscribe("presence-room", {"user_id": "ann"})
            await client.subscribe("last")
            expected = {"channel_occupied presence-room", "member_added presence-room ann", "channel_occupied last"}
            # Another node may own the last channel: what it tells can overtake the rest.
            await receiver.until(lambda: expected <= set(receiver.names()))
            assert sorted(receiver.names()) == sorted(expected)


async def test_a_client_event_is_reported_with_its_data_as_string(serve: Serve, receiver: WebhookReceiver) -> None:
    async with (
        serve(app(webhooks=[hook(receiver, "client_event")]), **options()) as server,
        PusherClient(server.port) as client,
    ):
        await client.subscribe("private-a")
        await client.subscribe("presence-b", {"user_id": "ann"})
        for data in ({"x": [1, "é"]}, "text", "", 7, None, '{"already":"json"}'):
            await client.trigger("private-a", "client-said", data)
        await client.trigger("presence-b", "client-said", "hi")
        await client.send({"event": "client-said", "channel": "private-a"})
        await client.send_text(r'{"event":"client-said","channel":"private-a","data":"half \ud83d"}')
        await receiver.until(lambda: len(receiver.events) == 9)
        for request in receiver.requests:
            request.check()
        plain = {"name": "client_event", "channel": "private-a", "event": "client-said", "socket_id": client.socket_id}
        events = receiver.events
        assert events.pop(7) == plain
        told = [event["data"] for event in events]
        assert json.loads(told[0]) == {"x": [1, "é"]}
        assert told[1:] == ["text", "", "7", "null", '{"already":"json"}', "hi", "half \ufffd"]
        assert events[1] == plain | {"data": "text"}
        assert events[6] == plain | {"channel": "presence-b", "data": "hi", "user_id": "ann"}


async def test_an_empty_cache_channel_is_reported_once_for_all_newcomers(
    serve: Serve, receiver: WebhookReceiver
) -> None:
    async with (
        serve(app(webhooks=[hook(receiver, "cache_miss", "client_event")]), **options()) as server,
        PusherClient(server.port) as client,
    ):
        await client.subscribe("cache-a")
        await receiver.until(lambda: len(receiver.events) == 1)
        assert receiver.events == [{"name": "cache_miss", "channel": "cache-a", "data": "{}"}]
        await ApiClient(server.port).trigger("cache-b", "there")
        await client.subscribe("cache-b")
        await client.subscribe("private-x")
        await client.trigger("private-x", "client-end", "")
        await receiver.until(lambda: len(receiver.events) == 2)
        assert receiver.events[1]["name"] == "client_event"


async def test_the_last_count_of_subscribers_is_the_true_one(serve: Serve, receiver: WebhookReceiver) -> None:
    async with serve(app(webhooks=[hook(receiver, "subscription_count")]), **options()) as server:
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(6):
                client = await stack.enter_async_context(PusherClient(server.port))
                await client.subscribe("news")
                await client.subscribe("presence-room", {"user_id": "ann"})
            await receiver.until(lambda: bool(receiver.events) and receiver.events[-1]["subscription_count"] == 6)
            assert receiver.events[-1] == {"name": "subscription_count", "channel": "news", "subscription_count": 6}
        await receiver.until(lambda: receiver.events[-1]["subscription_count"] == 0)
    assert {event["channel"] for event in receiver.events} == {"news"}
    assert all(len({event["channel"] for event in one.events}) == len(one.events) for one in receiver.requests)


async def test_connections_are_reported_where_an_unfiltered_webhook_wants_it(
    serve: Serve, receiver: WebhookReceiver
) -> None:
    types = ("connection_established", "connection_terminated")
    filtered = hook(receiver, *types, path="/filtered", filter={"channel_prefix": "a"})
    async with serve(app(webhooks=[hook(receiver, *types), filtered]), **options()) as server:
        async with PusherClient(server.port) as client:
            await receiver.until(lambda: len(receiver.events) == 1)
            assert receiver.events[0] == {"name": "connection_established", "socket_id": client.socket_id}
        await receiver.until(lambda: len(receiver.events) == 2)
    assert receiver.events[1] == {"name": "connection_terminated", "socket_id": client.socket_id}


async def test_each_endpoint_gets_what_it_wants_once(serve: Serve, receiver: WebhookReceiver) -> None:
    hooks = [
        hook(receiver, "channel_occupied", path="/private", filter={"channel_type": "private"}),
        hook(receiver, "channel_occupied", path="/cache", filter={"channel_type": "cache"}),
        hook(receiver, "channel_occupied", path="/named", filter={"channel_prefix": "p", "channel_pattern": "[0-9]$"}),
        hook(receiver, "channel_occupied", path="/twice", headers={"X-Token": "one"}),
        hook(receiver, "channel_occupied", "channel_vacated", path="/twice", headers={"X-Token": "two"}),
        hook(receiver, "member_added", path="/members"),
    ]
    names = ["news", "private-a", "private-cache-a", "cache-b", "presence-c1", "private-encrypted-2"]
    expected = {
        "/private": ["private-a"],
        "/cache": ["cache-b", "private-cache-a"],
        "/named": ["presence-c1", "private-encrypted-2"],
        "/twice": sorted(names),
        "/members": ["presence-c1"],
    }

    def channels(path: str) -> list[str]:
        events = [event for one in receiver.requests if one.path == path for event in one.events]
        return sorted(event["channel"] for event in events if event["name"] != "channel_vacated")

    async with serve(app(webhooks=hooks), **options()) as server, PusherClient(server.port) as client:
        for name in names:
            await client.subscribe(name, {"user_id": "ann"} if name.startswith("presence") else None)
        await receiver.until(lambda: all(len(channels(path)) >= len(told) for path, told in expected.items()))

    assert {path: channels(path) for path in expected} == expected
    assert {one.headers["x-token"] for one in receiver.requests if one.path == "/twice"} == {"one"}


async def test_events_of_one_moment_share_a_request(serve_alone: Serve, receiver: WebhookReceiver) -> None:
    batching = {"enabled": True, "duration": 300}
    async with (
        serve_alone(app(webhooks=[hook(receiver, "client_event")]), **options(batching=batching)) as server,
        PusherClient(server.port) as client,
    ):
        await client.subscribe("private-a")
        for number in range(250):
            await client.trigger("private-a", "client-n", number)
        await receiver.until(lambda: len(receiver.events) == 250)
        assert [event["data"] for event in receiver.events] == [str(number) for number in range(250)]
        assert max(len(one.events) for one in receiver.requests) == 100
        assert len(receiver.requests) < 20


async def test_without_batching_each_event_is_a_request(serve: Serve, receiver: WebhookReceiver) -> None:
    async with (
        serve(app(webhooks=[hook(receiver, "client_event")]), **options(batching={"enabled": False})) as server,
        PusherClient(server.port) as client,
    ):
        await client.subscribe("private-a")
        for number in range(30):
            await client.trigger("private-a", "client-n", number)
        await receiver.until(lambda: len(receiver.requests) == 30)
        assert [one.events[0]["data"] for one in receiver.requests] == [str(number) for number in range(30)]


async def test_headers_are_added_except_those_that_make_a_webhook(serve: Serve, receiver: WebhookReceiver) -> None:
    headers = {"X-Custom": "yes", "x-pusher-key": "no", "CONTENT-TYPE": "text/plain", "X-Pusher-Signature": "no"}
    async with (
        serve(app(webhooks=[hook(receiver, "channel_occupied", headers=headers)]), **options()) as server,
        PusherClient(server.port) as client,
    ):
        await client.subscribe("news")
        await receiver.expect("channel_occupied news")
    (request,) = receiver.requests
    request.check()
    assert request.headers["x-custom"] == "yes"
    assert request.headers["user-agent"].startswith("sockudo/")


async def test_a_delivery_is_retried_and_the_next_ones_wait(serve_alone: Serve, receiver: WebhookReceiver) -> None:
    answers = iter([500, 302, 404])
    receiver.answer = lambda _: next(answers, 200)
    receiver.headers["Location"] = f"{receiver.url}/elsewhere"
    async with (
        serve_alone(app(webhooks=[hook(receiver, "client_event")]), speed=20, **options()) as server,
        PusherClient(server.port) as client,
    ):
        await client.subscribe("private-a")
        for number in range(5):
            await client.trigger("private-a", "client-n", number)
            await asyncio.sleep(0.05)
        await receiver.until(lambda: len(receiver.events) == 5)
    assert [event["data"] for event in receiver.events] == ["0", "1", "2", "3", "4"]
    assert [one.status for one in receiver.requests[:4]] == [500, 302, 404, 200]
    assert len({one.body for one in receiver.requests[:4]}) == 1
    assert all(one.path == "/" for one in receiver.requests)


async def test_an_endpoint_that_does_not_answer_delays_no_other_one(serve: Serve, receiver: WebhookReceiver) -> None:
    async with webhook_receiver() as dead:
        is_over = asyncio.Event()

        async def answer(_: Received) -> int:
            await is_over.wait()
            return 200

        dead.answer = answer
        hooks = [hook(dead, "client_event", path=f"/{number}") for number in range(25)]
        hooks.append(hook(receiver, "client_event"))
        async with serve(app(webhooks=hooks), **options()) as server, PusherClient(server.port) as client:
            await client.subscribe("private-a")
            for number in range(30):
                await client.trigger("private-a", "client-n", number)
                await receiver.until(lambda: len(receiver.events) > number, within=3)  # noqa: B023 - waited for here
            assert [event["data"] for event in receiver.events] == [str(number) for number in range(30)]
            assert not dead.requests
            is_over.set()


async def test_private_addresses_are_refused_where_they_are_not_allowed(
    serve_alone: Serve, receiver: WebhookReceiver
) -> None:
    hooks = [hook(receiver, "channel_occupied")]
    hooks += [hook(receiver, "channel_occupied") | {"url": f"http://localhost:{receiver.port}/"}]
    changes = options(allow_private=False, max_attempts=1)
    async with serve_alone(app(webhooks=hooks), **changes) as server, PusherClient(server.port) as client:
        await client.subscribe("news")
        service = server.assemblies[0].webhooks
        assert service is not None
        failed: list[FailedJob] = []
        async with asyncio.timeout(20):
            while len(failed) < 2:
                await asyncio.sleep(0.01)
                failed = await service.queue.failed(10)
    assert receiver.requests == []
    assert all("webhooks.allow_private" in job.reason for job in failed)


async def test_what_is_held_is_told_when_the_server_stops(serve_alone: Serve, receiver: WebhookReceiver) -> None:
    types = ("channel_occupied", "channel_vacated")
    async with serve_alone(app(webhooks=[hook(receiver, *types)]), **options(hold_ms=60_000)) as server:
        async with PusherClient(server.port) as client:
            await client.subscribe("news")
            await receiver.expect("channel_occupied news")
        await server.assemblies[0].stop(5)
    await receiver.expect("channel_occupied news", "channel_vacated news")
