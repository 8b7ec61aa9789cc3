from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.pusher.channels import kind_of
from sockudo.pusher.errors import RequestRejected
from sockudo.pusher.query import parse_query
from sockudo.pusher.triggers import (
    Target,
    Trigger,
    TriggerLimits,
    parse_batch,
    parse_info,
    parse_raw_trigger,
    parse_trigger,
)
from tests.support.properties import QUICK, THOROUGH, json_values, refusal_by

LIMITS = TriggerLimits(
    max_channels=3, max_name_length=20, max_payload_bytes=100, max_batch_size=4, max_channel_name_length=30
)
WIDE = TriggerLimits(100, 200, 1_000_000, 10, 200)


def trigger(limits: TriggerLimits = LIMITS, query: str | None = None, **body: Any) -> Trigger:
    event = {"name": "event", "channel": "news", "data": "hello"} | body
    event = {name: value for name, value in event.items() if value is not ...}
    return parse_trigger(json.dumps(event).encode(), limits, None if query is None else parse_query(query))


def refusal(call: Callable[[], object]) -> RequestRejected:
    with pytest.raises(RequestRejected) as refused:
        call()
    return refused.value


def test_an_event_for_one_channel() -> None:
    assert trigger(socket_id="1.2", info="user_count") == Trigger(
        name=b'"event"',
        data=b'"hello"',
        targets=(Target("news", kind_of("news")),),
        socket_id="1.2",
        info=frozenset({"user_count"}),
    )


def test_an_events_channels_keep_their_order_and_drop_repetitions() -> None:
    targets = trigger(channels=["b", "presence-a", "b"], channel=...).targets
    assert targets == (Target("b", kind_of("b")), Target("presence-a", kind_of("presence-a")))


def test_channels_win_over_channel() -> None:
    assert [target.name for target in trigger(channels=["a"], channel="b").targets] == ["a"]


def test_an_empty_list_of_channels_counts_as_none() -> None:
    assert [target.name for target in trigger(channels=[], channel="b").targets] == ["b"]
    refused = refusal(lambda: trigger(channels=[], channel=...))
    assert (refused.status, "Request must contain 'channels'" in refused.message) == (400, True)


def test_an_event_without_a_channel_is_refused() -> None:
    assert refusal(lambda: trigger(channel=...)).status == 400


@pytest.mark.parametrize("name", [..., None, ""])
def test_an_event_without_a_name_is_refused(name: object) -> None:
    refused = refusal(lambda: trigger(name=name))
    assert (refused.status, refused.message) == (400, "Invalid request: 'name' field is required.")


def test_an_event_without_data_is_refused() -> None:
    refused = refusal(lambda: trigger(data=...))
    assert (refused.status, refused.message) == (400, "Invalid request: 'data' field is required.")


@pytest.mark.parametrize("name", ["pusher:x", "pusher_internal:x", "client-x", "App\\Events\\Foo", "x" * 20, "é" * 20])
def test_names_are_not_restricted_but_in_length(name: str) -> None:
    assert json.loads(trigger(name=name).name) == name


def test_a_name_over_the_limit_is_refused() -> None:
    refused = refusal(lambda: trigger(name="x" * 21))
    assert refused.status == 400
    assert "21 characters exceeds the limit of 20 (max_event_name_length of the app" in refused.message


@pytest.mark.parametrize(
    ("data", "sent"),
    [
        ("text", "text"),
        ("", ""),
        ('{"a":1}', '{"a":1}'),
        ({"a": [1, None]}, '{"a":[1,null]}'),
        ([], "[]"),
        (1, "1"),
        (True, "true"),
        (None, "null"),
    ],
)
def test_a_string_goes_out_unchanged_and_other_data_as_json(data: object, sent: str) -> None:
    assert json.loads(trigger(data=data).data) == sent


@pytest.mark.parametrize(
    ("data", "sent"),
    [
        (r'"\ud83d"', "\ufffd"),
        (r'"a\ude00\ud83d\ude00"', "a\ufffd\U0001f600"),
        (r'{"a":"\ud83d","\ude00":1}', '{"a":"\ufffd","\ufffd":1}'),
        (r'["\\ud83d\ud83d"]', r'["\\ud83d' + '\ufffd"]'),
    ],
)
def test_half_a_character_becomes_the_replacement_character(data: str, sent: str) -> None:
    event = f'{{"name":"e\\ud83d","channel":"c","data":{data}}}'
    one = parse_trigger(event.encode(), LIMITS)
    (other,) = parse_batch(f'{{"batch":[{event}]}}'.encode(), LIMITS)
    for parsed in (one, other):
        assert (json.loads(parsed.name), json.loads(parsed.data)) == ("e\ufffd", sent)


@pytest.mark.parametrize("character", ["x", "é", "€", "😀", '"', "\\", "\n", "\x01"])
@pytest.mark.parametrize("escaped", [True, False])
def test_the_size_of_text_counts_the_bytes_subscribers_get(character: str, escaped: bool) -> None:
    size = len(character.encode())
    fits = "x" * (100 % size) + character * (100 // size)
    assert len(fits.encode()) == 100

    def send(data: str) -> Trigger:
        body = json.dumps({"name": "e", "channel": "c", "data": data}, ensure_ascii=escaped)
        return parse_trigger(body.encode(), LIMITS)

    assert json.loads(send(fits).data) == fits
    refused = refusal(lambda: send(fits + "x"))
    assert refused.status == 413
    assert refused.message.startswith(
        "The data content of this event exceeds the allowed maximum: 101 bytes exceed the limit of 100 bytes "
        "(max_event_payload_in_kb of the app"
    )


def test_other_data_has_the_size_of_its_compact_json() -> None:
    value = {"a": "é" * 46}
    assert len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()) == 100
    body = '{"name":"e","channel":"c","data":{  "a" :  "%s" }}'
    assert json.loads(json.loads(parse_trigger((body % ("é" * 46)).encode(), LIMITS).data)) == value
    assert refusal(lambda: parse_trigger((body % ("é" * 46 + "x")).encode(), LIMITS)).status == 413


def test_too_many_channels_are_refused_with_403() -> None:
    assert len(trigger(channels=["a", "b", "c"]).targets) == 3
    refused = refusal(lambda: trigger(channels=["a", "b", "c", "d"]))
    assert refused.status == 403
    assert "4 channels at once exceeds the limit of 3 (max_event_channels_at_once" in refused.message


@pytest.mark.parametrize("channels", [["a b"], ["a", "a b"], [""], ["x" * 31]])
def test_one_bad_channel_name_refuses_the_whole_event(channels: list[str]) -> None:
    assert refusal(lambda: trigger(channels=channels)).status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"name":1,"channel":"a","data":"x"}',
        b'{"name":"n","channel":1,"data":"x"}',
        b'{"name":"n","channels":"a","data":"x"}',
        b'{"name":"n","channels":[1],"data":"x"}',
        b'{"name":"n","channel":"a","data":"x","socket_id":1}',
        b'{"name":"n","channel":"a","data":"x","info":[]}',
        b'{"name":"n","channel":"a","data":"\xff"}',
        b'{"name":"n","channel":"a","data":{"\xff":1}}',
        b'{"name":"n","channel":"a","data":1e999}',
        b'{"name":"n","channel":"a","data":' + b"9" * 5000 + b"}",
        b'{"name":"n","channel":"a","data":' + b"[" * 100_000,
        b'{"name":"n","channel":"a","x":' + b"[" * 100_000,
    ],
)
def test_a_body_that_is_not_such_json_is_refused(body: bytes) -> None:
    refused = refusal(lambda: parse_trigger(body, WIDE))
    assert refused.status == 400
    assert refused.message.startswith("Invalid request: ")


def test_data_of_any_depth_is_taken_or_refused() -> None:
    # Somewhere among these the body can still be read, and its data no longer decoded.
    for depth, (before, after) in product(range(500, 1010), [(b"[", b"]"), (b'{"a":', b"}")]):
        body = b'{"name":"n","channel":"a","data":%b1%b}' % (before * depth, after * depth)
        refused = refusal_by(RequestRejected, partial(parse_trigger, body, WIDE))
        assert refused is None or (refused.status, "nested too deeply" in refused.message) == (400, True)


def test_unknown_fields_are_ignored() -> None:
    assert trigger(tags={"a": 1}, delta=True) == trigger()


def test_what_the_body_lacks_is_taken_from_the_query() -> None:
    query = parse_query(
        urlencode({"name": "n", "data": "d é", "channel": "c", "socket_id": "1.2", "info": "user_count"})
    )
    found = parse_trigger(b"", LIMITS, query)
    assert (json.loads(found.name), json.loads(found.data), found.socket_id) == ("n", "d é", "1.2")
    assert [target.name for target in found.targets] == ["c"]
    assert found.info == {"user_count"}


def test_the_body_wins_over_the_query() -> None:
    query = "name=other&data=other&channel=other&channels[]=other&socket_id=9.9&info=occupied"
    assert trigger(query=query, socket_id="1.2", info="user_count") == trigger(socket_id="1.2", info="user_count")


@pytest.mark.parametrize("query", ["channels[]=a&channels[]=b", "channels%5B%5D=a&channels%5B%5D=b"])
def test_channels_of_the_query_may_be_a_list(query: str) -> None:
    assert [target.name for target in trigger(channel=..., query=query).targets] == ["a", "b"]
    assert [target.name for target in trigger(channel=..., query="channels[]=a").targets] == ["a"]


def test_a_query_without_parameters_adds_nothing() -> None:
    assert trigger(query="") == trigger()
    assert refusal(lambda: parse_trigger(b"", LIMITS, parse_query(""))).status == 400


@pytest.mark.parametrize("name", ["name", "data"])
def test_a_query_parameter_that_is_not_utf_8_is_refused(name: str) -> None:
    # A raw byte of the request line, as the server reads it.
    query = "&".join([f"{name}=\udcff", *(f"{other}=x" for other in ("name", "data", "channel") if other != name)])
    refused = refusal(lambda: parse_trigger(b"", LIMITS, parse_query(query)))
    assert (refused.status, f"'{name}' is not valid UTF-8" in refused.message) == (400, True)


def test_a_batch_keeps_its_order() -> None:
    body = {"batch": [{"name": "a", "channel": "x", "data": "1"}, {"name": "b", "channels": ["y", "z"], "data": 2}]}
    first, second = parse_batch(json.dumps(body).encode(), LIMITS)
    assert (first.name, first.data, [target.name for target in first.targets]) == (b'"a"', b'"1"', ["x"])
    assert (second.name, second.data, [target.name for target in second.targets]) == (b'"b"', b'"2"', ["y", "z"])


def test_a_batch_may_be_empty_or_reach_the_limit() -> None:
    event = {"name": "a", "channel": "x", "data": "1"}
    assert parse_batch(b'{"batch":[]}', LIMITS) == []
    assert len(parse_batch(json.dumps({"batch": [event] * 4}).encode(), LIMITS)) == 4
    refused = refusal(lambda: parse_batch(json.dumps({"batch": [event] * 5}).encode(), LIMITS))
    assert refused.status == 400
    assert refused.message.startswith("Batch too large: 5 events exceed the limit of 4 (max_event_batch_size")


@pytest.mark.parametrize("body", [b"", b"{}", b'{"batch":{}}', b'{"batch":[1]}', b'{"batch":[{}]}', b'{"batch":null}'])
def test_a_batch_must_be_a_list_of_events(body: bytes) -> None:
    assert refusal(lambda: parse_batch(body, LIMITS)).status == 400


def test_one_bad_event_refuses_the_whole_batch() -> None:
    good = {"name": "a", "channel": "x", "data": "1"}
    body = json.dumps({"batch": [good, good | {"data": "x" * 101}, good | {"name": ""}]}).encode()
    assert refusal(lambda: parse_batch(body, LIMITS)).status == 413


def test_the_body_of_the_deprecated_call_is_the_data() -> None:
    query = parse_query("name=n&socket_id=1.2")
    found = parse_raw_trigger('{"a": "é"}'.encode(), "news", query, LIMITS)
    assert (json.loads(found.name), json.loads(found.data), found.socket_id) == ("n", '{"a": "é"}', "1.2")
    assert found.targets == (Target("news", kind_of("news")),)
    assert parse_raw_trigger(b"", "news", query, LIMITS).data == b'""'


@pytest.mark.parametrize(
    ("body", "channel", "query", "status"),
    [
        (b"\xff", "news", "name=n", 400),
        (b"x", "news", "", 400),
        (b"x", "news", "name=\udcff", 400),
        (b"x", "ne ws", "name=n", 400),
        (b"x" * 101, "news", "name=n", 413),
    ],
)
def test_the_deprecated_call_is_checked_like_the_other(body: bytes, channel: str, query: str, status: int) -> None:
    assert refusal(lambda: parse_raw_trigger(body, channel, parse_query(query), LIMITS)).status == status


@pytest.mark.parametrize(
    ("text", "info"),
    [
        (None, set()),
        ("", set()),
        ("user_count", {"user_count"}),
        ("user_count, subscription_count ,occupied,cache", {"user_count", "subscription_count", "occupied", "cache"}),
        ("user_counts,xuser_count,USER_COUNT,,", set()),
    ],
)
def test_info_is_a_list_of_known_attributes(text: str | None, info: set[str]) -> None:
    assert parse_info(text) == info


@THOROUGH
@given(json_values)
def test_the_literal_of_the_data_decodes_to_what_was_sent(data: object) -> None:
    for escaped in (True, False):
        body = json.dumps({"name": "n", "channel": "c", "data": data}, ensure_ascii=escaped).encode()
        literal = json.loads(parse_trigger(body, WIDE).data)
        assert isinstance(literal, str)
        assert (literal if isinstance(data, str) else json.loads(literal)) == data


@QUICK
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=120), st.booleans())
def test_the_size_limit_is_exact(data: str, escaped: bool) -> None:
    body = json.dumps({"name": "n", "channel": "c", "data": data}, ensure_ascii=escaped).encode()
    refused = refusal_by(RequestRejected, lambda: parse_trigger(body, LIMITS))
    assert (refused.status if refused else 200) == (413 if len(data.encode()) > 100 else 200)


events = st.fixed_dictionaries(
    {},
    optional={
        "name": json_values,
        "data": json_values,
        "channel": json_values | st.just("c"),
        "channels": json_values | st.just(["c"]),
        "socket_id": json_values,
        "info": json_values,
    },
)


@THOROUGH
@given(
    st.binary(max_size=100) | (json_values | events).map(lambda value: json.dumps(value).encode()), st.text(max_size=30)
)
def test_no_body_raises_anything_but_a_refusal(body: bytes, query: str) -> None:
    for call in (
        lambda: parse_trigger(body, LIMITS, parse_query(query)),
        lambda: parse_batch(b'{"batch":[%b]}' % body, LIMITS),
        lambda: parse_raw_trigger(body, "news", parse_query("name=n&" + query), LIMITS),
    ):
        refused = refusal_by(RequestRejected, call)
        assert refused is None or refused.status in (400, 403, 413)
