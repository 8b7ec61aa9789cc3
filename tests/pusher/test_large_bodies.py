"""Large bodies are taken and refused as small ones are, in steps."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any, TypeVar
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.pusher import json_spans
from sockudo.pusher.errors import RequestRejected
from sockudo.pusher.large_bodies import batch_steps, trigger_steps
from sockudo.pusher.query import Query, parse_query
from sockudo.pusher.triggers import Trigger, TriggerLimits, parse_batch, parse_trigger
from tests.support.properties import THOROUGH, json_values

T = TypeVar("T")

LIMITS = TriggerLimits(
    max_channels=3, max_name_length=20, max_payload_bytes=200, max_batch_size=3, max_channel_name_length=30
)
DEFAULTS = TriggerLimits(
    max_channels=100,
    max_name_length=200,
    max_payload_bytes=100 * 1024,
    max_batch_size=10,
    max_channel_name_length=200,
)
NO_QUERY = Query({}, {})
MEGABYTE = 1024 * 1024


def done(steps: Generator[None, None, T]) -> T:
    """Take all steps."""
    while True:
        try:
            next(steps)
        except StopIteration as stopped:
            result: T = stopped.value
            return result


def outcome(steps: Generator[None, None, T]) -> T | int:
    try:
        return done(steps)
    except RequestRejected as refused:
        return refused.status


def expected(body: bytes, *, batch: bool) -> Trigger | list[Trigger] | int:
    try:
        return parse_batch(body, LIMITS) if batch else parse_trigger(body, LIMITS)
    except RequestRejected as refused:
        return refused.status


def agree(large: object, small: object) -> bool:
    """Tell whether both took the same, or both refused it: of several faults, each tells the one it meets first."""
    return large == small or (isinstance(large, int) and isinstance(small, int))


def refusal(steps: Generator[None, None, Any]) -> tuple[RequestRejected, int]:
    """Return how steps were refused, and how many it took."""
    for number in range(100_000):
        try:
            next(steps)
        except RequestRejected as refused:
            return refused, number
    raise AssertionError("not refused")


names = st.one_of(st.text(max_size=22), st.none(), st.integers())
channels = st.sampled_from(["a", "private-b", "cache-c", "d", "e e", "x" * 30, "x" * 31, "", "ä"])
parts: dict[str, st.SearchStrategy[Any]] = {
    "data": st.one_of(
        json_values, st.text(max_size=210), st.sampled_from(["x" * 200, "x" * 201, "ä" * 100, '"' * 201])
    ),
    "channels": st.one_of(st.lists(channels, max_size=4), st.none(), st.just("a")),
    "socket_id": st.one_of(st.text(max_size=5), st.none()),
    "info": st.one_of(st.sampled_from(["user_count", "cache,occupied"]), st.none()),
    "other": json_values,
}
events = st.fixed_dictionaries(
    {
        "name": st.one_of(st.just("n"), st.just("n"), names),
        "data": parts.pop("data"),
        "channel": st.one_of(st.just("c"), channels),
    },
    optional=parts,
)
layouts = st.sampled_from(
    [
        {},
        {"indent": 3},
        {"ensure_ascii": False},
        {"separators": (",", ":")},
        {"indent": "\t", "separators": (" , ", "\r:")},
    ]
)


@THOROUGH
@given(events, layouts, st.sampled_from([4, 7, 64 * 1024]))
def test_a_large_event_is_judged_like_a_small_one(event: Any, layout: Any, window: int) -> None:
    body = json.dumps(event, **layout).encode()
    with mock.patch.object(json_spans, "WINDOW", window):
        assert agree(outcome(trigger_steps(body, LIMITS, NO_QUERY)), expected(body, batch=False))


@THOROUGH
@given(st.lists(events, max_size=4), layouts, st.sampled_from([4, 7, 64 * 1024]))
def test_a_large_batch_is_judged_like_a_small_one(batch: Any, layout: Any, window: int) -> None:
    body = json.dumps({"x": [1], "batch": batch}, **layout).encode()
    with mock.patch.object(json_spans, "WINDOW", window):
        assert agree(outcome(batch_steps(body, LIMITS)), expected(body, batch=True))


@THOROUGH
@given(events, st.data())
def test_no_part_of_a_body_is_taken_for_a_whole(event: Any, data: st.DataObject) -> None:
    body = json.dumps(event).encode()
    cut = data.draw(st.integers(0, len(body) - 1))
    changed = body[:cut] + data.draw(st.sampled_from([b"", b"}", b"]", b",", b'"', b"\\", b"{"])) + body[cut + 1 :]
    for text in (body[:cut], changed):
        assert agree(outcome(trigger_steps(text, LIMITS, NO_QUERY)), expected(text, batch=False))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"[]",
        b"null",
        b'"x',
        b"{",
        b'{"name"',
        b'{"name":',
        b'{"name":"n"',
        b'{"name":"n",}',
        b"{1:2}",
        b'{"a" "b"}',
        b'{"a":]}',
        b'{"a":"\\',
        b'{"a":\xff}',
        b'{"name":"n","channel":"a","data":"x"} x',
        b'{"name":"n","channel":"a","data":"\xff"}',
        b'{"name":"n","channel":"a","data":1e999}',
        b'{"name":"n","channel":"a","data":"x","y":[1 2]}',
        b'{"name":"n","channel":"a","data":"x","y":' + b"[" * 100_000,
        b'{"name":"n","channel":"a","data":"x","y":tru}',
    ],
)
def test_what_is_not_such_json_is_refused(body: bytes) -> None:
    refused, _ = refusal(trigger_steps(body, DEFAULTS, NO_QUERY))
    assert (refused.status, refused.message.startswith("Invalid request: ")) == (400, True)
    refused, _ = refusal(batch_steps(b'{"batch":[%b]}' % body if body.strip() else body, DEFAULTS))
    assert refused.status == 400


def test_what_an_event_lacks_is_taken_from_the_query() -> None:
    query = parse_query("name=n&data=d&channel=c")
    assert done(trigger_steps(b" " * 100_000 + b"{}", LIMITS, query)) == parse_trigger(b"{}", LIMITS, query)


def test_a_batch_is_required() -> None:
    assert refusal(batch_steps(b"{}", LIMITS))[0].status == 400
    assert done(batch_steps(b'{"batch": [ ] }', LIMITS)) == []


EVENT = b'{"name":"n","channel":"c","data":%b}'
FULL = json.dumps({"name": "n" * 200, "channels": [f"{i:0200}" for i in range(100)], "data": "x" * 102400}).encode()


@pytest.mark.parametrize(
    "data",
    [
        b'"%b"' % (b"x" * 102_400),
        b'"%b"' % (b"\\u00e9" * 51_200),
        b'"%b"' % (b"\\ud83d\\ude00" * 25_600),
        b"[%b[]]" % (b"[]," * 34_132),
        b'{"a": %b"x"}' % (b" " * 9 * MEGABYTE),
        b"[%b1]" % (b"1 ,\n" * 51_198),
    ],
)
def test_the_largest_legal_data_is_taken(data: bytes) -> None:
    assert done(trigger_steps(EVENT % data, DEFAULTS, NO_QUERY)) == parse_trigger(EVENT % data, DEFAULTS)


def test_the_largest_legal_batch_is_taken() -> None:
    body = b'{"batch":[%b]}' % b",".join([FULL] * 10)
    assert done(batch_steps(body, DEFAULTS)) == parse_batch(body, DEFAULTS)


def test_fields_that_nobody_knows_may_have_any_size() -> None:
    body = b'{"x":[%b0],"name":"n","channel":"c","data":"d"}' % (b'{"a":"b"},' * 100_000)
    assert done(trigger_steps(body, DEFAULTS, NO_QUERY)).name == b'"n"'


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (
            EVENT % (b"[%b0]" % (b"0," * 5 * MEGABYTE)),
            413,
            "The data content of this event exceeds the allowed maximum",
        ),
        (EVENT % (b'"%b"' % (b"x" * 10 * MEGABYTE)), 413, "The data content of this event exceeds the allowed maximum"),
        (b'{"channels":[%b""]}' % (b'"",' * 2_600_000), 403, "more than 100 channels at once exceeds the limit of 100"),
        (b'{"name":"%b"}' % (b"x" * 10 * MEGABYTE), 400, "exceeds the limit of 200 (max_event_name_length"),
        (b'{"channel":"%b"}' % (b"x" * 10 * MEGABYTE), 400, "the limit is 200 (max_channel_name_length"),
        (b'{"info":"%b"}' % (b"," * 10 * MEGABYTE), 400, "'info'"),
    ],
)
def test_oversized_parts_are_refused_before_they_are_read_whole(body: bytes, status: int, text: str) -> None:
    refused, steps = refusal(trigger_steps(body, DEFAULTS, NO_QUERY))
    assert (refused.status, text in refused.message) == (status, True), refused.message
    assert steps < 20


def test_a_batch_too_large_is_refused_before_its_end() -> None:
    body = b'{"batch":[%b]}' % b",".join([EVENT % b'"x"'] * 250_000)
    refused, steps = refusal(batch_steps(body, DEFAULTS))
    assert refused.status == 400
    assert refused.message.startswith("Batch too large: more than 10 events exceed the limit of 10 (max_event_batch_")
    assert steps < 20


@pytest.mark.parametrize("key", ["name", "data", "channel", "channels", "socket_id", "info"])
def test_a_value_that_is_given_again_must_be_json_too(key: str) -> None:
    event = {"name": "e", "channel": "a", "data": "2", key: ["a"] if key == "channels" else "3"}
    for first, is_json in ((b"-", False), (b"nul", False), (b"null", True)):
        body = b'{"%b":%b,' % (key.encode(), first) + json.dumps(event).encode()[1:]
        assert isinstance(outcome(trigger_steps(body, DEFAULTS, NO_QUERY)), Trigger) is is_json
        assert agree(outcome(trigger_steps(body, LIMITS, NO_QUERY)), expected(body, batch=False))


@pytest.mark.parametrize("byte", [b"\0", b"\n", b"\x1f", b"\\x"])
@pytest.mark.parametrize("length", [1, 99, 101, 200_000])
def test_a_key_that_is_no_json_refuses_the_body(byte: bytes, length: int) -> None:
    key = b"k" * length
    good, bad = (b'{"%b":1,"name":"e","channel":"a","data":"x"}' % text for text in (key, key[:-1] + byte))
    assert isinstance(outcome(trigger_steps(good, DEFAULTS, NO_QUERY)), Trigger)
    assert not isinstance(outcome(trigger_steps(bad, DEFAULTS, NO_QUERY)), Trigger)
