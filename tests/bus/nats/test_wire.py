"""The parser against every way in which bytes can be cut, and the names of subjects."""

from __future__ import annotations

import contextlib
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.bus.broker.connection import BadBytesError
from sockudo.bus.nats.wire import (
    LONGEST_LINE,
    LONGEST_PAYLOAD,
    NatsParser,
    encode_prefix,
    encode_token,
)

WORDS = st.text("abcXYZ019.$_-", min_size=1, max_size=12).map(str.encode)
MESSAGES = st.tuples(WORDS, st.one_of(st.just(b""), WORDS), st.binary(max_size=300))
COMMANDS = st.sampled_from(
    [
        (b"PING", b""),
        (b"PONG", b""),
        (b"+OK", b""),
        (b"INFO", b'{"server_id": "a  b", "max_payload": 1}'),
        (b"-ERR", b"'Authorization Violation'"),
    ]
)


def parse(*chunks: bytes) -> list[Any]:
    found: list[Any] = []
    parser = NatsParser(lambda *message: found.append(message), lambda *command: found.append(command))
    for chunk in chunks:
        parser.feed(chunk)
    return found


def written(item: tuple[bytes, ...]) -> bytes:
    if len(item) == 2:
        return b" ".join(word for word in item if word) + b"\r\n"
    subscription, reply, payload = item
    words = [b"MSG", b"some.subject", subscription, *([reply] if reply else []), b"%d" % len(payload)]
    return b" ".join(words) + b"\r\n" + payload + b"\r\n"


@given(st.lists(st.one_of(MESSAGES, COMMANDS), max_size=8), st.data())
def test_what_was_written_is_found_however_it_is_cut(items: list[Any], data: st.DataObject) -> None:
    stream = b"".join(written(item) for item in items)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    chunks = [stream[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert parse(*chunks) == items


def test_every_single_cut_and_byte_by_byte() -> None:
    items = [(b"INFO", b"{}"), (b"12", b"", b"\r\nMSG a 1 3\r\n"), (b"1", b"a.b", b""), (b"PING", b"")]
    stream = b"".join(written(item) for item in items)
    for cut in range(len(stream) + 1):
        assert parse(stream[:cut], stream[cut:]) == items
    assert parse(*(stream[index : index + 1] for index in range(len(stream)))) == items


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_any_bytes_are_parsed_or_refused(chunks: list[bytes]) -> None:
    with contextlib.suppress(BadBytesError):
        parse(*chunks)


@pytest.mark.parametrize(
    "stream",
    [
        b"MSG a 1 \r\n",
        b"MSG a 1 x\r\n",
        b"MSG a 1 -1\r\n",
        b"MSG 3\r\nabc\r\n",
        b"MSG a 1 b c 3\r\nabc\r\n",
        b"MSG a 1 %d\r\n" % (LONGEST_PAYLOAD + 1),
        b"MSG a 1 3\r\nabcd\r\n",
        b"x" * (LONGEST_LINE + 1),
    ],
)
def test_what_no_server_sends_is_refused(stream: bytes) -> None:
    with pytest.raises(BadBytesError):
        parse(stream)


@given(st.text(max_size=50), st.text(max_size=50))
def test_different_topics_are_different_tokens_and_can_be_read_back(one: str, other: str) -> None:
    token = encode_token(one)
    assert ("" if token == b"%" else unquote_to_bytes(token).decode("utf-8", "surrogatepass")) == one
    assert (token == encode_token(other)) == (one == other)
    assert token
    assert not set(token) & set(b" \t\r\n.*>\x00\x7f")


def test_the_longest_topic_fits_into_a_control_line() -> None:
    # A server takes lines of 4096 bytes.
    assert len(encode_token("*" * 500)) < 2000
    assert len(encode_token("\N{GRINNING FACE}" * 500)) <= 2000


def test_the_dots_of_a_prefix_stay() -> None:
    assert encode_prefix("sockudo_nats:") == b"sockudo_nats:"
    assert encode_prefix("a.b c") == b"a.b%20c"
    assert encode_prefix("") == b"%"
