from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.node import World, make_app
from tests.support.properties import THOROUGH, json_values, texts


def test_a_json_ping_is_answered() -> None:
    client = World().connect()
    assert client.send("pusher:ping", {}) == [{"event": "pusher:pong", "data": "{}"}]


@pytest.mark.parametrize("event", ["pusher:pong", "pusher:connection_established", "pusher_internal:x", "anything"])
def test_a_pong_and_events_that_nobody_knows_are_not_answered(event: str) -> None:
    client = World().connect()
    assert client.send(event, {"channel": "news"}, "news") == []
    assert client.connection.is_open


def test_a_frame_that_cannot_be_parsed_is_answered_with_an_error_without_code() -> None:
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


def test_a_failed_sign_in_ends_the_connection_with_error_and_close() -> None:
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


def test_the_answers_of_one_tick_come_in_the_order_of_the_questions() -> None:
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
