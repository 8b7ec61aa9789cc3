from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.cluster.messages.topics import channel_topic
from tests.fakes.node import APP_ID, World, make_app
from tests.servers.cluster import Bus, Member
from tests.support.properties import THOROUGH, json_values, texts

SUCCEEDED = "pusher_internal:subscription_succeeded"


def test_a_json_ping_is_answered() -> None:
    client = World().connect()
    assert client.send("pusher:ping", {}) == [{"event": "pusher:pong", "data": "{}"}]


@pytest.mark.parametrize("event", ["pusher:pong", "pusher:resume", "sockudo:x", "anything"])
def test_a_pong_and_events_that_nobody_knows_are_not_answered(event: str) -> None:
    client = World().connect()
    assert client.send(event, {"channel": "news"}, "news") == []
    assert client.connection.is_open


@pytest.mark.parametrize("event", ["pusher:connection_established", "pusher:x", "pusher_internal:x"])
def test_a_reserved_name_is_refused_and_not_relayed(event: str) -> None:
    world = World()
    client, other = world.connect(), world.connect()
    for one in (client, other):
        one.subscribe("private-x")
    (frame,) = client.send(event, {"channel": "news"}, "private-x")
    assert (frame["event"], frame["channel"], frame["data"]["code"]) == ("pusher:error", "private-x", None)
    assert frame["data"]["message"].startswith("Reserved event name: ")
    assert other.take() == []
    assert client.connection.is_open


UNREADABLE = [b"", b"{", b"[]", b"{}", b'{"event":1}', b'{"event":"pusher:subscribe"}', b'{"event":"client-x\xff"}']


def test_fifty_unreadable_messages_in_ten_seconds_end_a_connection() -> None:
    world = World()
    client = world.connect()
    for number in range(49):
        client.send_bytes(UNREADABLE[number % len(UNREADABLE)])
        world.clock.advance(0.2)
    assert client.events() == ["pusher:error"] * 49
    client.send_bytes(b"")
    assert client.wire.closed == [(4100, "Too many unreadable messages: 50 within 10 s")]
    (frame,) = client.take()
    assert frame["data"] == {"code": 4100, "message": "Too many unreadable messages: 50 within 10 s"}


def test_fewer_unreadable_messages_and_other_refusals_end_nothing() -> None:
    world = World()
    slow, refused = world.connect(), world.connect()
    for _ in range(200):
        world.clock.advance(0.21)
        slow.send_bytes(b"{")
        for event in ("client-x", "pusher:x", "unknown"):
            refused.send(event, 1, "private-x")
        refused.subscribe("private-x", auth="wrong")
    assert (slow.wire.closed, refused.wire.closed) == ([], [])


def test_an_unparsable_frame_is_answered_with_an_error_without_code() -> None:
    client = World().connect()
    client.send_bytes(b"{")
    (frame,) = client.take()
    assert (frame["event"], frame["data"]["code"]) == ("pusher:error", None)
    assert frame["data"]["message"].startswith("Invalid message format: ")
    assert client.connection.is_open


def test_a_failed_subscription_is_told_twice_and_keeps_the_connection() -> None:
    client = World().connect()
    first, second = client.subscribe("private-x", auth="")
    text = "Authentication signature required for this channel"
    assert first == {
        "event": "pusher:subscription_error",
        "channel": "private-x",
        "data": {"type": "AuthError", "error": text, "status": 401},
    }
    assert second == {"event": "pusher:error", "data": {"code": None, "message": text}}
    assert client.wire.closed == []
    assert client.subscribe("news")[0]["event"] == "pusher_internal:subscription_succeeded"


def test_a_failed_sign_in_ends_in_error_and_close() -> None:
    client = World(make_app(enable_user_authentication=True)).connect()
    (frame,) = client.send("pusher:signin", {"auth": "app-key:wrong", "user_data": '{"id":"1"}'})
    assert (frame["event"], frame["data"]["code"]) == ("pusher:error", 4009)
    assert [code for code, _ in client.wire.closed] == [4009]
    assert client.wire.log[-2:] == ["pusher:error", ("close", 4009)]
    assert not client.connection.is_open


def test_a_refusal_is_told_to_its_sender_only() -> None:
    world = World()
    sender, other = world.connect(), world.connect()
    for client in (sender, other):
        client.subscribe("private-x")
    sender.send("client-x", 1, "private-y")
    sender.send_bytes(b"{")
    assert other.take() == []


def test_answers_of_one_tick_come_in_the_questions_order() -> None:
    client = World().connect()
    for payload in (
        b'{"event":"pusher:subscribe","data":{"channel":"news"}}',
        b'{"event":"pusher:ping"}',
        b"{",
        b'{"event":"pusher:subscribe","data":{"channel":"private-x"}}',
    ):
        client.send_bytes(payload)
    assert client.events() == [
        "pusher_internal:subscription_succeeded",
        "pusher:pong",
        "pusher:error",
        "pusher:subscription_error",
        "pusher:error",
    ]


frames = st.builds(
    lambda event, data, channel: json.dumps({"event": event, "data": data, "channel": channel}).encode(),
    st.sampled_from(["pusher:subscribe", "pusher:unsubscribe", "pusher:signin", "pusher:ping", "client-x", "x"]),
    json_values | st.fixed_dictionaries({"channel": texts | st.sampled_from(["news", "private-x", "presence-x"])}),
    st.none() | texts | st.just("private-x"),
)


@THOROUGH
@given(st.lists(frames | st.binary(max_size=60), max_size=8))
def test_no_conversation_raises_and_every_answer_is_a_frame(payloads: list[bytes]) -> None:
    world = World(make_app(enable_user_authentication=True))
    client = world.connect()
    for payload in payloads:
        if client.connection.is_open:
            client.send_bytes(payload)
    for frame in client.take():
        assert frame["event"].startswith(("pusher:", "pusher_internal:"))
    client.leave()
    assert list(world.hub.connections()) == []


class Waiting:
    """A connection on a node whose topics are joined only when a test says so."""

    def __init__(self) -> None:
        self.member = Member(Bus(), make_app(enable_user_authentication=True))
        self.member.start()
        self.client = self.member.connect()
        self.wire = self.client.wire
        self.member.adapter.is_slow = True

    async def confirm(self, name: str) -> list[str]:
        """Confirm the topic of a channel; return the events that come then."""
        self.member.adapter.confirm(channel_topic(APP_ID, name))
        await asyncio.sleep(0)
        return self.client.events()


async def test_success_is_told_only_when_the_channels_events_arrive() -> None:
    waiting = Waiting()
    assert waiting.client.subscribe("news") == []
    assert not waiting.client.connection.subscriptions
    assert await waiting.confirm("news") == [SUCCEEDED]
    assert list(waiting.client.connection.subscriptions or {}) == ["news"]
    assert waiting.client.connection.backlog is None


async def test_a_second_subscriber_of_a_joined_channel_does_not_wait() -> None:
    waiting = Waiting()
    waiting.client.subscribe("news")
    await waiting.confirm("news")
    second = waiting.member.connect()
    assert [frame["event"] for frame in second.subscribe("news")] == [SUCCEEDED]


async def test_commands_keep_their_order_while_an_earlier_one_waits() -> None:
    waiting = Waiting()
    client = waiting.client
    client.say("pusher:subscribe", {"channel": "news"})
    client.say("pusher:ping")
    client.send_bytes(b"{")
    client.say("pusher:unsubscribe", {"channel": "news"})
    client.say("pusher:ping")
    assert client.take() == []
    assert await waiting.confirm("news") == [SUCCEEDED, "pusher:pong", "pusher:error", "pusher:pong"]
    assert not client.connection.subscriptions


async def test_another_connection_is_not_held_up() -> None:
    waiting = Waiting()
    waiting.client.subscribe("news")
    other = waiting.member.connect()
    assert [frame["event"] for frame in other.send("pusher:ping")] == ["pusher:pong"]


async def test_several_waits_in_a_row_keep_the_order() -> None:
    waiting = Waiting()
    client = waiting.client
    for name in ("a", "b"):
        client.say("pusher:subscribe", {"channel": name})
        client.say("pusher:ping")
    client.ask_to_be("1")
    client.say("pusher:ping")
    assert await waiting.confirm("a") == [SUCCEEDED, "pusher:pong"]
    assert len(client.connection.backlog or ()) == 3
    client.say("client-x", channel="a")
    assert await waiting.confirm("b") == [SUCCEEDED, "pusher:pong"]
    assert await waiting.confirm("#server-to-user-1") == ["pusher:signin_success", "pusher:pong", "pusher:error"]
    assert client.connection.backlog is None


async def test_reading_pauses_above_a_hundred_and_resumes_when_they_finish() -> None:
    waiting = Waiting()
    client, wire = waiting.client, waiting.wire
    client.say("pusher:subscribe", {"channel": "news"})
    for _ in range(99):
        client.say("pusher:ping")
    assert not wire.is_paused
    for _ in range(51):
        client.say("pusher:ping")
    assert wire.is_paused
    assert await waiting.confirm("news") == [SUCCEEDED] + ["pusher:pong"] * 150
    assert not wire.is_paused


async def test_reading_stays_paused_until_fewer_than_a_hundred_wait() -> None:
    waiting = Waiting()
    client, wire = waiting.client, waiting.wire
    client.say("pusher:subscribe", {"channel": "a"})
    client.say("pusher:subscribe", {"channel": "b"})
    for _ in range(60):
        client.say("pusher:ping")
    client.say("pusher:subscribe", {"channel": "c"})
    for _ in range(60):
        client.say("pusher:ping")
    assert wire.is_paused
    assert await waiting.confirm("a") == [SUCCEEDED]
    assert wire.is_paused
    await waiting.confirm("b")
    assert not wire.is_paused
    for _ in range(40):
        client.say("pusher:ping")
    assert wire.is_paused
    assert await waiting.confirm("c") == [SUCCEEDED] + ["pusher:pong"] * 100
    assert not wire.is_paused


async def test_nothing_is_done_for_a_connection_ended_while_waiting() -> None:
    waiting = Waiting()
    client = waiting.client
    client.ask_for("presence-x", "1")
    for _ in range(100):
        client.say("pusher:ping")
    client.leave()
    assert await waiting.confirm("presence-x") == []
    assert waiting.member.hub.channel(APP_ID, "presence-x") is None
    assert client.connection.backlog is None
    waiting.member.clock.advance(5)
    assert not waiting.member.adapter.topics & {channel_topic(APP_ID, "presence-x")}


async def test_what_ends_the_connection_ends_what_waits_behind_it() -> None:
    waiting = Waiting()
    client = waiting.client
    client.say("pusher:subscribe", {"channel": "news"})
    client.say("pusher:signin", {"auth": "app-key:wrong", "user_data": '{"id":"1"}'})
    client.say("pusher:subscribe", {"channel": "other"})
    assert await waiting.confirm("news") == [SUCCEEDED, "pusher:error"]
    assert not client.connection.is_open
    assert waiting.member.hub.connection_count(APP_ID) == 0
    assert channel_topic(APP_ID, "other") not in waiting.member.adapter.topics


async def test_a_subscription_not_allowed_after_the_wait_is_refused() -> None:
    member = Member(Bus(), make_app(max_presence_members=1))
    member.start()
    member.adapter.is_slow = True
    first, second = member.connect(), member.connect()
    first.subscribe("presence-x", "1")
    second.subscribe("presence-x", "2")
    member.adapter.confirm(channel_topic(APP_ID, "presence-x"))
    await asyncio.sleep(0)
    assert first.events() == [SUCCEEDED]
    assert second.events() == ["pusher:subscription_error", "pusher:error"]
