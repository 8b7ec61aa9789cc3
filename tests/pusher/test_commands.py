from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.pusher.commands import (
    ClientEvent,
    Command,
    Ping,
    Pong,
    Signin,
    Subscribe,
    Unknown,
    Unsubscribe,
    parse_command,
)
from sockudo.pusher.errors import CommandRejected, EventNameMissing, MessageUnreadable
from tests.support.properties import QUICK, THOROUGH, json_values, refusal_by, texts


def parse(frame: object) -> Command:
    return parse_command(json.dumps(frame).encode())


def refusal(payload: bytes) -> CommandRejected:
    with pytest.raises(CommandRejected) as refused:
        parse_command(payload)
    return refused.value


def test_subscribe() -> None:
    frame = {"event": "pusher:subscribe", "data": {"channel": "presence-a", "auth": "k:s", "channel_data": "{}"}}
    assert parse(frame) == Subscribe("presence-a", "k:s", "{}")


@pytest.mark.parametrize("auth", [{}, {"auth": ""}, {"auth": None}, {"channel_data": ""}, {"channel_data": None}])
def test_auth_and_channel_data_may_be_missing_empty_or_null(auth: dict[str, Any]) -> None:
    assert parse({"event": "pusher:subscribe", "data": {"channel": "a"} | auth}) == Subscribe("a", "", None)


def test_unsubscribe() -> None:
    assert parse({"event": "pusher:unsubscribe", "data": {"channel": "a"}}) == Unsubscribe("a")


@pytest.mark.parametrize("data", ["a", "", " {not json", "[1]"])
def test_the_data_of_unsubscribe_may_be_the_channel_itself(data: str) -> None:
    if data.lstrip().startswith("{"):
        assert "unsubscribe" in refusal(json.dumps({"event": "pusher:unsubscribe", "data": data}).encode()).message
    else:
        assert parse({"event": "pusher:unsubscribe", "data": data}) == Unsubscribe(data)


def test_signin() -> None:
    frame = {"event": "pusher:signin", "data": {"auth": "k:s", "user_data": '{"id":"1"}'}}
    assert parse(frame) == Signin("k:s", '{"id":"1"}')


@pytest.mark.parametrize("rest", [b"", b',"data":{}', b',"data":"{}"', b',"data":null', b',"data":[1,"x"]'])
def test_ping_and_pong_need_no_data_and_take_any(rest: bytes) -> None:
    assert parse_command(b'{"event":"pusher:ping"' + rest + b"}") == Ping()
    assert parse_command(b'{"event":"pusher:pong"' + rest + b"}") == Pong()


@pytest.mark.parametrize("data", ['{"a": 1}', '"text"', '"{\\"a\\":1}"', "1.50", "null", "[ ]", '"\\u00e9"'])
def test_the_data_of_a_client_event_is_kept_unchanged(data: str) -> None:
    payload = f'{{"event":"client-x","channel":"private-a","data":{data}}}'.encode()
    assert parse_command(payload) == ClientEvent("client-x", "private-a", data.encode())


def test_a_client_event_is_understood_without_data_or_channel() -> None:
    assert parse({"event": "client-x"}) == ClientEvent("client-x", None, b"")


@pytest.mark.parametrize("event", ["client-", "client-pusher:x"])
def test_every_name_that_begins_with_client_is_a_client_event(event: str) -> None:
    assert parse({"event": event, "channel": "private-a", "data": 1}) == ClientEvent(event, "private-a", b"1")


@pytest.mark.parametrize("event", ["", "client", "Client-x", "pusher", "sockudo:error", "my-event"])
def test_other_events_are_unknown_and_not_an_error(event: str) -> None:
    assert parse({"event": event, "data": {"channel": 1}}) == Unknown()


@pytest.mark.parametrize("name", ["auth", "resume", "channel_history", "presence_update", "enable_delta_compression"])
def test_commands_of_a_later_protocol_are_ignored(name: str) -> None:
    assert parse({"event": f"pusher:{name}", "data": {"channel": "a"}}) == Unknown()


@pytest.mark.parametrize(
    "event",
    [
        "pusher:",
        "pusher:x",
        "pusher:error",
        "pusher:subscribe ",
        "pusher:client-x",
        "pusher_internal:member_added",
        "pusher_internal:subscribe",
        "pusher_internal:auth",
    ],
)
def test_a_reserved_name_that_is_no_command_is_refused(event: str) -> None:
    refused = refusal(json.dumps({"event": event, "channel": "private-a", "data": 1}).encode())
    assert refused.message.startswith("Reserved event name: ")
    assert (refused.code, refused.channel) == (None, "private-a")
    assert not isinstance(refused, MessageUnreadable)


@pytest.mark.parametrize("data", [r'"\ud83d"', r'"\ude00 \ud83d\ude00"', r'{"a":["\ud83d"],"\ud83d":1.50}'])
def test_half_a_character_in_a_client_event_is_kept_unchanged(data: str) -> None:
    payload = f'{{"event":"client-x","data":0,"channel":"private-a","data":{data}}}'.encode()
    assert parse_command(payload) == ClientEvent("client-x", "private-a", data.encode())


def test_half_a_character_that_is_decoded_becomes_the_replacement_character() -> None:
    assert parse({"event": "client-\ud83d", "channel": "a\ude00"}) == ClientEvent("client-\ufffd", "a\ufffd", b"")
    data = {"channel": "a\ud83d", "channel_data": '{"user_id":"\ud83d"}'}
    expected = Subscribe("a\ufffd", "", '{"user_id":"\ufffd"}')
    assert parse({"event": "pusher:subscribe", "data": data}) == expected
    assert parse({"event": "pusher:subscribe", "data": json.dumps(data)}) == expected
    assert parse({"event": "pusher:unsubscribe", "data": "a\ud83d"}) == Unsubscribe("a\ufffd")
    signin = {"auth": "k:s", "user_data": '{"id":"\ud83d"}'}
    assert parse({"event": "pusher:signin", "data": signin}) == Signin("k:s", '{"id":"\ufffd"}')


@pytest.mark.parametrize("event", ["subscribe", "unsubscribe"])
def test_a_refusal_of_unreadable_data_names_the_channel(event: str) -> None:
    data = {"channel": "x" * 300, "auth": 5} if event == "subscribe" else '{"channel":5}'
    refused = refusal(json.dumps({"event": f"pusher:{event}", "data": data}).encode())
    assert isinstance(refused, MessageUnreadable)
    assert refused.channel == ("x" * 200 if event == "subscribe" else None)


@pytest.mark.parametrize("payload", [b"{}", b'{"channel":"x"}', b'{"event":null}', rb'{"a":"\ud83d"}'])
def test_an_object_without_an_event_name_is_told_apart(payload: bytes) -> None:
    assert isinstance(refusal(payload), EventNameMissing)


@pytest.mark.parametrize("payload", [b"", b"[]", b"5", b'{"event":5}', b'{"event":"a","channel":5}', b'{"a":1'])
def test_a_message_that_is_no_such_object_lacks_no_name(payload: bytes) -> None:
    assert type(refusal(payload)) is MessageUnreadable


def test_an_empty_message_is_told_as_such() -> None:
    assert refusal(b"").message == "Invalid message format: the message is empty"


def test_fields_that_nobody_knows_are_ignored() -> None:
    frame = {"event": "pusher:subscribe", "name": 1, "user_id": [], "data": {"channel": "a", "more": {}}}
    assert parse(frame) == Subscribe("a")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b" ",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"event":null}',
        b'{"event":1}',
        b'{"event":"client-x","channel":1}',
        b'{"event":"pusher:ping"}x',
        b'\xef\xbb\xbf{"event":"pusher:ping"}',
    ],
)
def test_what_is_not_an_object_with_an_event_is_refused(payload: bytes) -> None:
    refused = refusal(payload)
    assert refused.message.startswith("Invalid message format: ")
    assert (refused.code, refused.channel) == (None, None)


@pytest.mark.parametrize("event", ["subscribe", "unsubscribe", "signin"])
@pytest.mark.parametrize("data", [None, b"null", b"{}", b"[]", b"1", b'{"channel":1}', b'"{}"', b'"{"'])
def test_data_that_lacks_what_the_event_needs_is_refused(event: str, data: bytes | None) -> None:
    rest = b"" if data is None else b',"data":' + data
    refused = refusal(b'{"event":"pusher:' + event.encode() + b'"' + rest + b"}")
    assert refused.message.startswith("Invalid message format: ")
    assert event in refused.message


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 100_000,
        b'{"event":"pusher:ping","data":' + b"[" * 100_000,
        b'{"event":"pusher:subscribe","data":' + b'{"channel":' * 50_000,
        json.dumps({"event": "pusher:subscribe", "data": '{"x":' * 50_000}).encode(),
        json.dumps({"event": "pusher:unsubscribe", "data": '{"x":' * 50_000}).encode(),
    ],
)
def test_nesting_has_a_bottom(payload: bytes) -> None:
    assert refusal(payload).message.startswith("Invalid message format: ")


@pytest.mark.parametrize(
    "payload",
    [
        b'{"event":"\xff"}',
        b'{"event":"client-x","channel":"\xff","data":1}',
        b'{"event":"client-x","channel":"private-a","data":"\xff"}',
        b'{"event":"client-x","channel":"private-a","data":{"\xc3":1}}',
        b'{"event":"pusher:subscribe","data":"\xff"}',
        b'{"event":"pusher:subscribe","data":{"channel":"\xff"}}',
        b'{"event":"pusher:unsubscribe","data":"\xff"}',
        b'{"event":"pusher:signin","data":{"auth":"\xff","user_data":""}}',
    ],
)
def test_a_binary_message_that_is_not_utf8_is_never_relayed(payload: bytes) -> None:
    assert refusal(payload).message.startswith("Invalid message format: ")


@pytest.mark.parametrize("data", [b'"a\nb"', b'"\\q"', b"01", b"1.e3", b"NaN", b"'x'", b"{a:1}"])
def test_the_data_of_a_client_event_must_be_json(data: bytes) -> None:
    refusal(b'{"event":"client-x","channel":"private-a","data":' + data + b"}")


@pytest.mark.parametrize(
    "frame",
    [
        {"event": {"hush-hush": 1}},
        {"event": "client-x", "channel": ["hush-hush"]},
        {"event": "pusher:subscribe", "data": {"channel": ["hush-hush"]}},
        {"event": "pusher:signin", "data": "hush-hush"},
    ],
)
def test_a_refusal_does_not_repeat_the_input(frame: dict[str, Any]) -> None:
    assert "hush" not in refusal(json.dumps(frame).encode()).message


@THOROUGH
@given(
    st.binary(max_size=200)
    | json_values.map(lambda value: json.dumps(value).encode())
    | st.builds(
        lambda event, data: b'{"event":"%b","data":%b}' % (event, data),
        st.sampled_from([b"client-x", b"pusher:subscribe", b"pusher:unsubscribe", b"pusher:signin", b"pusher:ping"]),
        st.binary(max_size=60) | st.binary(max_size=60).map(lambda inner: b'"' + inner + b'"'),
    )
)
def test_any_bytes_are_refused_or_relayed_as_json(payload: bytes) -> None:
    try:
        command = parse_command(payload)
    except CommandRejected:
        return
    if isinstance(command, ClientEvent) and command.data:
        json.loads(command.data.decode())


@THOROUGH
@given(
    st.sampled_from(["pusher:subscribe", "pusher:unsubscribe", "pusher:signin", "client-x", "pusher:ping", "other"]),
    json_values,
)
def test_no_json_raises_anything_but_a_refusal(event: str, data: object) -> None:
    refused = refusal_by(CommandRejected, lambda: parse({"event": event, "data": data, "channel": None}))
    assert refused is None or refused.code is None


@QUICK
@given(texts, texts, st.none() | texts)
def test_object_and_string_data_of_subscribe_are_the_same(channel: str, auth: str, channel_data: str | None) -> None:
    data = {"channel": channel, "auth": auth, "channel_data": channel_data}
    command = Subscribe(channel, auth, channel_data or None)
    assert parse({"event": "pusher:subscribe", "data": data}) == command
    assert parse({"event": "pusher:subscribe", "data": json.dumps(data)}) == command


@QUICK
@given(texts)
def test_object_and_string_data_of_unsubscribe_are_the_same(channel: str) -> None:
    data = {"channel": channel}
    assert parse({"event": "pusher:unsubscribe", "data": data}) == Unsubscribe(channel)
    assert parse({"event": "pusher:unsubscribe", "data": json.dumps(data)}) == Unsubscribe(channel)


@QUICK
@given(texts, json_values)
def test_object_and_string_data_of_signin_are_the_same(auth: str, user: object) -> None:
    data = {"auth": auth, "user_data": json.dumps(user)}
    assert parse({"event": "pusher:signin", "data": data}) == Signin(auth, json.dumps(user))
    assert parse({"event": "pusher:signin", "data": json.dumps(data)}) == Signin(auth, json.dumps(user))


@QUICK
@given(texts, texts, json_values)
def test_a_client_event_comes_back_as_it_was_sent(name: str, channel: str, data: object) -> None:
    for text in (json.dumps(data), json.dumps(data, ensure_ascii=False)):
        head = json.dumps({"event": "client-" + name, "channel": channel})
        command = parse_command(f'{head[:-1]},"data":{text}}}'.encode())
        assert command == ClientEvent("client-" + name, channel, text.encode())
