"""Client events: who may send them, to whom they go, and in what form."""

from __future__ import annotations

import pytest

from tests.clients.client import PusherClient
from tests.clients.raw import BINARY, RawWebSocket
from tests.servers.nodes import Serve
from tests.servers.server import app

pytestmark = pytest.mark.every_topology

ROOM = "presence-room"


@pytest.mark.parametrize("channel", ["private-a", "private-cache-a"])
async def test_an_event_goes_to_all_but_its_sender(serve: Serve, channel: str) -> None:
    async with (
        serve() as server,
        PusherClient(server.port) as ann,
        PusherClient(server.port) as bob,
        PusherClient(server.port) as cid,
    ):
        for client in (ann, bob, cid):
            await client.ask_for(channel)
            await client.expect("pusher_internal:subscription_succeeded")
            if "cache" in channel:
                await client.expect("pusher:cache_miss")
        await ann.trigger(channel, "client-typing", {"on": True})
        for client in (bob, cid):
            assert await client.receive() == {"event": "client-typing", "channel": channel, "data": {"on": True}}
        for client in (ann, bob, cid):
            await client.expect_nothing()


@pytest.mark.parametrize("channel", [ROOM, "presence-cache-room"])
async def test_on_a_presence_channel_it_carries_the_senders_user_id(serve: Serve, channel: str) -> None:
    async with serve() as server, PusherClient(server.port) as ann, PusherClient(server.port) as tab:
        # Two tabs of one user: the sender's other tab gets the event.
        for client in (ann, tab):
            await client.ask_for(channel, {"user_id": 10})
            await client.expect("pusher_internal:subscription_succeeded")
            if "cache" in channel:
                await client.expect("pusher:cache_miss")
        await ann.trigger(channel, "client-x", "text")
        assert await tab.receive() == {"event": "client-x", "channel": channel, "data": "text", "user_id": "10"}
        await ann.expect_nothing()


async def test_a_user_id_that_the_sender_makes_up_is_ignored(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        await ann.subscribe(ROOM, {"user_id": "ann"})
        await bob.subscribe(ROOM, {"user_id": "bob"})
        await ann.expect("pusher_internal:member_added")
        await bob.send({"event": "client-x", "channel": ROOM, "data": 1, "user_id": "ann"})
        assert (await ann.expect("client-x"))["user_id"] == "bob"


@pytest.mark.parametrize(
    "data",
    [
        {"on": True},
        {},
        [],
        "text",
        '{"json":"in a string"}',
        "",
        7,
        2.50,
        True,
        None,
        {"channel": "c", "channel_data": "d", "user_data": "u", "event": "e"},
        "ä \U0001f600 \u2028",
    ],
)
async def test_data_goes_out_as_it_came(serve: Serve, data: object) -> None:
    async with serve() as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        for client in (ann, bob):
            await client.subscribe("private-a")
        await ann.trigger("private-a", "client-x", data)
        assert (await bob.receive())["data"] == data


async def test_numbers_keep_their_spelling(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as ann, RawWebSocket(server.port) as bob:
        await ann.subscribe("private-a")
        await bob.subscribe("private-a")
        await ann.send_text('{"event":"client-x","channel":"private-a","data":{"n":1.10,"big":123456789012345678901}}')
        _, payload = await bob.frame()
        assert b'"data":{"n":1.10,"big":123456789012345678901}' in payload


async def test_an_event_without_data_arrives_without_it(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        for client in (ann, bob):
            await client.subscribe("private-a")
        event = {"event": "client-x", "channel": "private-a"}
        await ann.send(event)
        assert await bob.receive() == event
        await ann.send(event | {"data": None})
        assert await bob.receive() == event | {"data": None}


async def test_half_an_emoji_arrives_as_it_was_sent(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as ann, RawWebSocket(server.port) as bob:
        await ann.subscribe("private-a")
        await bob.subscribe("private-a")
        for data in (r'"\ud83d"', r'{"a":["\ude00 \ud83d\ude00"]}'):
            text = f'{{"event":"client-x","channel":"private-a","data":{data}}}'
            await ann.send_text(text)
            _, payload = await bob.frame()
            assert payload.decode() == text


async def test_a_reserved_name_is_refused_and_reaches_nobody(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        for client in (ann, bob):
            await client.subscribe("private-a")
        for name in ("pusher:x", "pusher:subscription_succeeded", "pusher_internal:member_removed"):
            await ann.trigger("private-a", name, {})
            assert "Reserved event name" in await ann.expect_error(None)
        await bob.expect_nothing()


async def test_text_that_is_not_utf8_reaches_nobody(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as bob, RawWebSocket(server.port) as ann:
        await bob.subscribe("private-a")
        await ann.subscribe("private-a")
        await ann.send(BINARY, b'{"event":"client-x","channel":"private-a","data":"\xff"}')
        refusal = await ann.event()
        assert refusal["event"] == "pusher:error"
        assert refusal["data"]["code"] is None
        await bob.expect_nothing()


@pytest.mark.parametrize("channel", ["news", "cache-a", "private-encrypted-a", "private-encrypted-cache-a"])
async def test_it_is_refused_on_public_and_encrypted_channels(serve: Serve, channel: str) -> None:
    async with serve() as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        for client in (ann, bob):
            await client.ask_for(channel)
            await client.expect("pusher_internal:subscription_succeeded")
            if "cache" in channel:
                await client.expect("pusher:cache_miss")
        await ann.trigger(channel, "client-x", 1)
        assert "private or presence" in await ann.expect_error(4301)
        await bob.expect_nothing()


async def test_it_is_refused_where_the_sender_is_not_subscribed(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        await bob.subscribe("private-a")
        await ann.trigger("private-a", "client-x", 1)
        assert "not subscribed" in await ann.expect_error(4301)
        await ann.subscribe("private-a")
        await ann.unsubscribe("private-a")
        await ann.trigger("private-a", "client-x", 1)
        await ann.expect_error(4301)
        await bob.expect_nothing()


async def test_it_is_refused_without_a_channel(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        await client.send({"event": "client-x", "data": 1})
        assert "Channel required" in await client.expect_error(4301)


async def test_it_is_refused_where_the_app_does_not_allow_it(serve: Serve) -> None:
    async with (
        serve(app(enable_client_messages=False)) as server,
        PusherClient(server.port) as ann,
        PusherClient(server.port) as bob,
    ):
        for client in (ann, bob):
            await client.subscribe("private-a")
        await ann.trigger("private-a", "client-x", 1)
        assert "enable_client_messages" in await ann.expect_error(4301)
        await bob.expect_nothing()


@pytest.mark.parametrize("event", ["x", "clientx", "Client-x", "pusher:resume"])
async def test_only_names_that_begin_with_client_are_sent_on(serve: Serve, event: str) -> None:
    async with serve() as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        for client in (ann, bob):
            await client.subscribe("private-a")
        await ann.trigger("private-a", event, 1)
        await ann.expect_nothing()
        await bob.expect_nothing()


async def test_the_name_is_limited(serve: Serve) -> None:
    async with (
        serve(app(max_event_name_length=10)) as server,
        PusherClient(server.port) as ann,
        PusherClient(server.port) as bob,
    ):
        for client in (ann, bob):
            await client.subscribe("private-a")
        await ann.trigger("private-a", "client-abc", 1)
        await bob.expect("client-abc")
        await ann.trigger("private-a", "client-abcd", 1)
        text = await ann.expect_error(4301)
        assert "11" in text
        assert "10" in text
        assert "max_event_name_length" in text
        await bob.expect_nothing()


async def test_the_data_is_limited_to_the_byte(serve: Serve) -> None:
    async with (
        serve(app(max_event_payload_in_kb=1)) as server,
        PusherClient(server.port) as ann,
        PusherClient(server.port) as bob,
    ):
        for client in (ann, bob):
            await client.subscribe("private-a")
        await ann.trigger("private-a", "client-x", "x" * 1022)
        await bob.expect("client-x")
        await ann.trigger("private-a", "client-x", "x" * 1023)
        text = await ann.expect_error(4301)
        assert "1025" in text
        assert "1024" in text
        assert "max_event_payload_in_kb" in text
        await bob.expect_nothing()


async def test_exactly_the_allowed_number_passes_in_a_second(serve: Serve) -> None:
    async with (
        serve(app(max_client_events_per_second=3), speed=0.1) as server,
        PusherClient(server.port) as ann,
        PusherClient(server.port) as bob,
    ):
        for client in (ann, bob):
            await client.subscribe("private-a")
        for number in range(5):
            await ann.trigger("private-a", "client-x", number)
        assert [(await bob.expect("client-x"))["data"] for _ in range(3)] == [0, 1, 2]
        for _ in range(2):
            text = await ann.expect_error(4301)
            assert "rate limit" in text
            assert "3" in text
            assert "max_client_events_per_second" in text
        await bob.expect_nothing()


async def test_after_a_second_the_next_ones_pass(serve: Serve) -> None:
    async with (
        serve(app(max_client_events_per_second=1), speed=5) as server,
        PusherClient(server.port) as ann,
        PusherClient(server.port) as bob,
    ):
        for client in (ann, bob):
            await client.subscribe("private-a")
        passed, refused = 0, 0
        while passed < 2 or not refused:
            await ann.trigger("private-a", "client-x", 1)
            await ann.send({"event": "pusher:ping", "data": {}})
            answer = await ann.receive()
            if answer["event"] == "pusher:error":
                refused += 1
                await ann.expect("pusher:pong")
            else:
                passed += 1
                await bob.expect("client-x")


async def test_the_limit_is_each_connections_own(serve: Serve) -> None:
    async with (
        serve(app(max_client_events_per_second=1)) as server,
        PusherClient(server.port) as ann,
        PusherClient(server.port) as bob,
    ):
        for client in (ann, bob):
            await client.subscribe("private-a")
        await ann.trigger("private-a", "client-x", 1)
        await bob.expect("client-x")
        await bob.trigger("private-a", "client-y", 1)
        await ann.expect("client-y")


async def test_a_bare_prefix_and_a_name_with_backslashes_are_names(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        for client in (ann, bob):
            await client.subscribe("private-a")
        for name in ("client-", 'client-App\\Events\\"X"'):
            await ann.trigger("private-a", name, 1)
            await bob.expect(name)
