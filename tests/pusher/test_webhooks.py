from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.pusher import webhooks
from sockudo.pusher.events import json_text
from sockudo.pusher.signatures import Signer
from sockudo.webhooks.delivery.job import decode_job, encode_job
from tests.support.properties import QUICK, json_values, texts


def events_of(body: bytes) -> list[dict[str, Any]]:
    """Read a body as the strictest library does: names to strings and whole numbers."""
    document = json.loads(body)
    assert document.keys() == {"time_ms", "events"}
    events: list[dict[str, Any]] = document["events"]
    assert all(type(value) in (str, int) for event in events for value in event.values())
    return events


def test_the_events_of_channels_and_members() -> None:
    events = [
        webhooks.occupancy_event(webhooks.CHANNEL_OCCUPIED, "news", 1),
        webhooks.member_event(webhooks.MEMBER_REMOVED, "presence-x", 'a"b', 2),
        webhooks.cache_miss("cache-x", 3),
        webhooks.subscription_count("news", 7, 4),
        webhooks.connection_event(webhooks.CONNECTION_ESTABLISHED, "1.2", 5),
    ]
    body = webhooks.webhook_body(9, b"[%b]" % b",".join(events))
    assert json.loads(body)["time_ms"] == 9
    assert events_of(body) == [
        {"name": "channel_occupied", "channel": "news", "time_ms": 1},
        {"name": "member_removed", "channel": "presence-x", "user_id": 'a"b', "time_ms": 2},
        {"name": "cache_miss", "channel": "cache-x", "data": "{}", "time_ms": 3},
        {"name": "subscription_count", "channel": "news", "subscription_count": 7, "time_ms": 4},
        {"name": "connection_established", "socket_id": "1.2", "time_ms": 5},
    ]


@QUICK
@given(channel=texts, event=texts, data=json_values, user_id=st.none() | texts)
def test_a_client_event_has_its_data_as_a_string(channel: str, event: str, data: object, user_id: str | None) -> None:
    told = webhooks.client_event(channel, event, json_text(data), "1.2", user_id, 7)
    (read,) = events_of(webhooks.webhook_body(7, b"[%b]" % told))
    assert (read["channel"], read["event"], read["socket_id"], read.get("user_id")) == (channel, event, "1.2", user_id)
    if isinstance(data, str):
        assert read["data"] == data
    else:
        assert json.loads(read["data"]) == json.loads(json_text(data))


def test_a_client_event_without_data_is_told_without_the_member() -> None:
    told = webhooks.client_event("private-a", "client-x", b"", "1.2", "7", 9)
    assert json.loads(told) == {
        "name": "client_event",
        "channel": "private-a",
        "event": "client-x",
        "socket_id": "1.2",
        "user_id": "7",
        "time_ms": 9,
    }
    assert b'"data":"null"' in webhooks.client_event("private-a", "client-x", b"null", "1.2", None, 9)


@pytest.mark.parametrize(
    ("data", "text"),
    [(rb'"a\ud83d"', "a\ufffd"), (rb'{"a":"\ud83d"}', r'{"a":"\ud83d"}'), (rb'"\ud83d\ude00"', "\U0001f600")],
)
def test_half_a_character_in_a_client_event_spoils_no_webhook(data: bytes, text: str) -> None:
    told = webhooks.client_event("private-a", "client-x", data, "1.2", None, 9)
    job = encode_job("app", "hook", 9, [told])
    decoded = decode_job(job)
    assert decoded is not None
    assert json.loads(bytes(decoded.events))[0]["data"] == text


def test_a_body_is_signed_as_a_whole() -> None:
    # Made with `hmac` of Python.
    body = b'{"time_ms":1700000000000,"events":[{"name":"channel_occupied","channel":"news"}]}'
    signature = "88c47328a117a518e72bf1f0fb71699ee153b7daa34a10d98e972d7a38428c9e"
    assert Signer("7ad3773142a6692b25b8").sign(body) == signature
