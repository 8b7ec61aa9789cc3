from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.cluster.messages import envelope
from sockudo.cluster.messages.state import (
    AppChanged,
    Delta,
    EventToCache,
    ForceReconnect,
    Goodbye,
    Sync,
    Terminate,
    encode,
)
from tests.support.properties import THOROUGH

NODE = "0123456789abcdef"


def test_a_node_id_is_sixteen_hex_digits_and_always_new() -> None:
    ids = {envelope.new_node_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(re.fullmatch(r"[0-9a-f]{16}", node_id) for node_id in ids)


def test_a_header_is_the_kind_and_the_sender() -> None:
    header = envelope.header(envelope.DELTA, NODE)
    assert header == bytes.fromhex("04" + NODE)
    assert len(header) == envelope.HEADER_BYTES
    assert envelope.sender(header + b"rest") == NODE


@pytest.mark.parametrize("except_id", [None, "1.2", "é", "\udcff", "x" * 255])
def test_an_event_arrives_as_it_was_sent(except_id: str | None) -> None:
    data = envelope.header(envelope.EVENT, NODE) + envelope.event_rest(b"\x81\x01x", except_id)
    assert envelope.parse_event(data) == (b"\x81\x01x", except_id)


@pytest.mark.parametrize("except_id", [None, "1.2", "x" * 199])
def test_a_context_goes_with_an_event_and_changes_no_id(except_id: str | None) -> None:
    context = f"00-{'ab' * 16}-{'cd' * 8}-01"
    rest = envelope.event_rest(b"\x81\x01x", envelope.with_context(context, except_id))
    frame, excluded = envelope.parse_event(envelope.header(envelope.EVENT, NODE) + rest)
    assert frame == b"\x81\x01x"
    assert isinstance(excluded, envelope.TracedExclusion)
    assert (excluded, excluded.context) == (except_id or "", context)


@pytest.mark.parametrize("named", ["\0", "\0" + "x" * 54, "\0" * 80])
def test_half_a_context_is_the_id_of_no_socket(named: str) -> None:
    data = envelope.header(envelope.EVENT, NODE) + envelope.event_rest(b"frame", named)
    frame, excluded = envelope.parse_event(data)
    assert frame == b"frame"
    assert excluded is not None
    assert excluded.startswith("\0")


def test_an_impossible_socket_id_excludes_nobody() -> None:
    header = envelope.header(envelope.EVENT, NODE)
    assert envelope.parse_event(header + envelope.event_rest(b"frame", "x" * 256)) == (b"frame", None)
    assert envelope.parse_event(header + envelope.event_rest(b"frame", "é" * 255))[0] == b"frame"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (envelope.DELTA, Delta(1, {})),
        (envelope.SYNC, Sync()),
        (envelope.GOODBYE, Goodbye()),
        (envelope.TERMINATE, Terminate("app", "user")),
        (envelope.FORCE_RECONNECT, ForceReconnect("app", "user")),
        (envelope.APP_CHANGED, AppChanged("app")),
        (envelope.CACHED_EVENT, EventToCache("app", "cache-x", None, b"\x81\x00")),
    ],
)
def test_everything_else_is_parsed_by_its_kind(kind: int, body: msgspec.Struct) -> None:
    assert envelope.parse(envelope.header(kind, NODE) + encode(body)) == body


@pytest.mark.parametrize(
    ("kind", "rest"),
    [
        (0, b"\x90"),
        (envelope.EVENT, b"\x90"),
        (255, b"\x90"),
        (envelope.DELTA, b""),
        (envelope.DELTA, b"\x92\x01"),
        (envelope.TERMINATE, b"\x92\xa1\xff\xa1a"),  # not UTF-8
        (envelope.TERMINATE, b"\x93\xa1a\xa1a" + b"\x91" * 100_000 + b"\xc0"),  # too deep
        (envelope.DELTA, b"\x92\x01\xdf\xff\xff\xff\xff"),  # longer than there are bytes
        (envelope.CACHED_EVENT, encode(EventToCache("app", "cache-x", None, b"\x81"))),
    ],
)
def test_what_cannot_be_understood_is_none(kind: int, rest: bytes) -> None:
    assert envelope.parse(envelope.header(kind, NODE) + rest) is None


@THOROUGH
@given(st.integers(0, 255), st.binary(max_size=80))
def test_no_bytes_raise(kind: int, rest: bytes) -> None:
    data = envelope.header(kind, NODE) + rest
    envelope.parse(data)
    if rest:
        envelope.parse_event(data)
