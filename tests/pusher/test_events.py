from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.pusher import events
from tests.support.properties import QUICK, THOROUGH, json_values, texts

CHANNEL = 'presence-"\\é\x01'


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (
            events.connection_established("123.456", 120),
            {"event": "pusher:connection_established", "data": '{"socket_id":"123.456","activity_timeout":120}'},
        ),
        (events.PONG, {"event": "pusher:pong", "data": "{}"}),
        (
            events.error("text", 4001),
            {"event": "pusher:error", "data": {"code": 4001, "message": "text"}},
        ),
        (
            events.error("text", None, "news"),
            {"event": "pusher:error", "data": {"code": None, "message": "text"}, "channel": "news"},
        ),
        (
            events.subscription_error("private-x", "AuthError", "text", 401),
            {
                "event": "pusher:subscription_error",
                "channel": "private-x",
                "data": {"type": "AuthError", "error": "text", "status": 401},
            },
        ),
        (
            events.subscription_succeeded("news"),
            {"event": "pusher_internal:subscription_succeeded", "channel": "news", "data": "{}"},
        ),
        (
            events.member_added("presence-x", "1", b'{"name":"A"}'),
            {
                "event": "pusher_internal:member_added",
                "channel": "presence-x",
                "data": '{"user_id":"1","user_info":{"name":"A"}}',
            },
        ),
        (
            events.member_removed("presence-x", "1"),
            {"event": "pusher_internal:member_removed", "channel": "presence-x", "data": '{"user_id":"1"}'},
        ),
        (
            events.subscription_count("news", 3),
            {"event": "pusher_internal:subscription_count", "channel": "news", "data": '{"subscription_count":3}'},
        ),
        (events.cache_miss("cache-x"), {"event": "pusher:cache_miss", "channel": "cache-x"}),
        (
            events.channel_event(b'"e"', "news", b'"{\\"a\\":1}"'),
            {"event": "e", "channel": "news", "data": '{"a":1}'},
        ),
        (
            events.client_event("client-x", "private-x", b'{"on":true}', None),
            {"event": "client-x", "channel": "private-x", "data": {"on": True}},
        ),
        (
            events.client_event("client-x", "presence-x", b'"text"', "1"),
            {"event": "client-x", "channel": "presence-x", "data": "text", "user_id": "1"},
        ),
        (
            events.signin_success('{"id":"1"}'),
            {"event": "pusher:signin_success", "data": {"user_data": '{"id":"1"}'}},
        ),
        (
            events.watchlist_events({"online": ["1", "2"], "offline": ["3"]}),
            {
                "event": "pusher_internal:watchlist_events",
                "data": '{"events":[{"name":"online","user_ids":["1","2"]},{"name":"offline","user_ids":["3"]}]}',
            },
        ),
    ],
)
def test_each_event_is_what_client_libraries_read(frame: bytes, expected: dict[str, Any]) -> None:
    assert json.loads(frame) == expected


def test_a_state_that_nobody_is_in_is_not_told() -> None:
    frame = json.loads(events.watchlist_events({"online": [], "offline": ["3"]}))
    assert json.loads(frame["data"]) == {"events": [{"name": "offline", "user_ids": ["3"]}]}


def test_a_presence_success_holds_every_member() -> None:
    ids = [events.roster_id("1"), events.roster_id("2")]
    entries = [events.roster_entry("1", b'{"name":"A"}'), events.roster_entry("2", b"{}")]
    frame = json.loads(events.presence_succeeded("presence-x", events.presence_roster(ids, entries, 2)))
    assert (frame["event"], frame["channel"]) == ("pusher_internal:subscription_succeeded", "presence-x")
    assert json.loads(frame["data"]) == {
        "presence": {"count": 2, "ids": ["1", "2"], "hash": {"1": {"name": "A"}, "2": {}}}
    }


def test_an_empty_presence_channel_has_empty_lists() -> None:
    frame = json.loads(events.presence_succeeded("presence-x", events.presence_roster([], [], 0)))
    assert json.loads(frame["data"]) == {"presence": {"count": 0, "ids": [], "hash": {}}}


@pytest.mark.parametrize(
    "frame",
    [
        events.connection_established("1.2", 120),
        events.PONG,
        events.subscription_succeeded(CHANNEL),
        events.presence_succeeded(CHANNEL, events.presence_roster([], [], 0)),
        events.member_added(CHANNEL, "1", b"{}"),
        events.member_removed(CHANNEL, "1"),
        events.subscription_count(CHANNEL, 1),
        events.watchlist_events({"online": ["1"]}),
    ],
)
def test_data_is_a_string_that_holds_json(frame: bytes) -> None:
    decoded = json.loads(frame)
    assert isinstance(decoded["data"], str)
    assert isinstance(json.loads(decoded["data"]), dict)
    assert decoded.get("channel", CHANNEL) == CHANNEL


@pytest.mark.parametrize(
    "frame",
    [
        events.error("text", 4001),
        events.subscription_error(CHANNEL, "AuthError", "t", 401),
        events.signin_success("{}"),
    ],
)
def test_data_is_an_object_where_the_protocol_says_so(frame: bytes) -> None:
    assert isinstance(json.loads(frame)["data"], dict)


@THOROUGH
@given(st.dictionaries(texts, json_values, max_size=5))
def test_any_roster_decodes_to_its_members(members: dict[str, Any]) -> None:
    for escaped in (True, False):
        infos = {user_id: json.dumps(info, ensure_ascii=escaped).encode() for user_id, info in members.items()}
        roster = events.presence_roster(
            [events.roster_id(user_id) for user_id in infos],
            [events.roster_entry(user_id, info) for user_id, info in infos.items()],
            len(infos),
        )
        frame = json.loads(events.presence_succeeded("presence-x", roster))
        presence = {"count": len(members), "ids": list(members), "hash": members}
        assert json.loads(frame["data"]) == {"presence": presence}


@QUICK
@given(texts, texts, json_values)
def test_any_member_is_announced_as_it_is(channel: str, user_id: str, info: object) -> None:
    added = json.loads(events.member_added(channel, user_id, json.dumps(info).encode()))
    removed = json.loads(events.member_removed(channel, user_id))
    assert json.loads(added["data"]) == {"user_id": user_id, "user_info": info}
    assert json.loads(removed["data"]) == {"user_id": user_id}
    assert added["channel"] == removed["channel"] == channel


@QUICK
@given(texts, texts, json_values, st.none() | texts)
def test_any_client_event_is_json_with_its_data_unchanged(
    name: str, channel: str, data: object, user: str | None
) -> None:
    expected = {"event": name, "channel": channel, "data": data} | ({} if user is None else {"user_id": user})
    assert json.loads(events.client_event(name, channel, json.dumps(data).encode(), user)) == expected


@QUICK
@given(texts, texts, texts)
def test_any_event_is_json(name: str, channel: str, data: str) -> None:
    frame = events.channel_event(events.json_text(name), channel, events.json_text(data))
    assert json.loads(frame) == {"event": name, "channel": channel, "data": data}


@QUICK
@given(texts, st.none() | st.integers(4000, 4399), st.none() | texts)
def test_any_error_is_json(message: str, code: int | None, channel: str | None) -> None:
    expected = {"event": "pusher:error", "data": {"code": code, "message": message}}
    assert json.loads(events.error(message, code, channel)) == expected | (
        {} if channel is None else {"channel": channel}
    )


@QUICK
@given(json_values)
def test_nested_json_is_the_inside_of_a_string(value: object) -> None:
    text = events.json_text(value)
    assert json.loads(b'"' + events.nested(text) + b'"') == text.decode()


@QUICK
@given(texts, st.lists(texts), st.lists(texts))
def test_any_sign_in_and_watchlist_are_json(user_data: str, online: list[str], offline: list[str]) -> None:
    assert json.loads(events.signin_success(user_data))["data"] == {"user_data": user_data}
    frame = json.loads(events.watchlist_events({"online": online, "offline": offline}))
    changes = {change["name"]: change["user_ids"] for change in json.loads(frame["data"])["events"]}
    assert (changes.get("online", []), changes.get("offline", [])) == (online, offline)
