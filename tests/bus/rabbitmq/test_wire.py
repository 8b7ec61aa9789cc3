"""Frames of RabbitMQ: however they are cut, and whatever is in them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import base, commands, frame, header

from sockudo.bus.broker.connection import BadBytesError
from sockudo.bus.rabbitmq import wire as rabbitmq_wire
from sockudo.bus.rabbitmq.wire import (
    CHANNEL,
    HEARTBEAT,
    RabbitParser,
    bind_frame,
    content_frames,
    method_frame,
    publish_frame,
    unbind_frame,
)

KEYS = st.text(max_size=60).map(lambda text: text.encode()[:255])
BODIES = st.binary(max_size=300)


def delivered(key: bytes, message_id: bytes, body: bytes, longest_frame: int = 4096) -> bytes:
    """Return a message as a server delivers it."""
    first = method_frame(commands.Basic.Deliver("m", 7, False, "exchange", "")).removesuffix(b"\x00\xce")
    first = first[:3] + (len(first) - 7 + 1 + len(key)).to_bytes(4) + first[7:]
    return first + bytes((len(key),)) + key + b"\xce" + content_frames(message_id, body, longest_frame)


def parse(chunks: list[bytes]) -> list[Any]:
    heard: list[Any] = []
    parser = RabbitParser(lambda *message: heard.append(message), lambda method: heard.append(type(method)))
    for chunk in chunks:
        parser.feed(chunk)
    return heard


@given(st.lists(st.tuples(KEYS, BODIES), max_size=5), st.lists(st.integers(1, 50)), st.integers(16, 100))
def test_messages_are_the_same_however_they_are_cut(
    messages: list[tuple[bytes, bytes]], cuts: list[int], longest_frame: int
) -> None:
    data = b"".join(HEARTBEAT + delivered(key, b"n.1", body, longest_frame) for key, body in messages)
    data += method_frame(commands.Basic.QosOk())
    chunks, position = [], 0
    for cut in cuts:
        chunks.append(data[position : position + cut])
        position += cut
    chunks.append(data[position:])
    expected = [(b"m", key, b"n.1", body) for key, body in messages]
    assert parse(chunks) == [*expected, commands.Basic.QosOk]


def test_properties_of_others_are_read_and_their_message_id_kept() -> None:
    first = delivered(b"k", b"", b"").partition(b"\xce")[0] + b"\xce"
    for properties, message_id in (
        (commands.Basic.Properties(content_type="text/plain", headers={"a": 1}, message_id="other"), b"other"),
        (commands.Basic.Properties(content_type="text/plain", priority=1), b""),
        (commands.Basic.Properties(), b""),
    ):
        content = frame.marshal(header.ContentHeader(body_size=0, properties=properties), CHANNEL)
        assert parse([first + content]) == [(b"m", b"k", message_id, b"")]


@pytest.mark.parametrize(
    "data",
    [
        delivered(b"k", b"", b"x")[:60] + b"\x00" * 40,
        delivered(b"k", b"n", b"")[:-1] + b"\x00",
        delivered(b"k", b"n", b"xyz").replace(b"\x00\x00\x00\x03xyz", b"\x00\x00\x00\x04xyzz"),
        b"".join((delivered(b"k", b"n", b"").partition(b"\xce")[0], b"\xce")) * 2,
        b"\x04\x00\x00\x00\x00\x00\x00\xce",
        b"\x01\x00\x01\x00\x00\x00\x04\x00\x3c\x00\x99\xce",
    ],
)
def test_what_is_no_amqp_is_refused(data: bytes) -> None:
    with pytest.raises(BadBytesError):
        parse([data + b"\xff" * 8])


@given(st.binary(max_size=200))
def test_bytes_at_random_are_read_or_refused(data: bytes) -> None:
    try:
        parse([data, data])
    except BadBytesError:
        return


def read(data: bytes) -> base.Frame:
    length, channel, method = frame.unmarshal(data)
    assert (length, channel) == (len(data), CHANNEL)
    assert isinstance(method, base.Frame)
    return method


def test_our_frames_equal_those_of_the_library() -> None:
    published = read(publish_frame(b"x", "é".encode()))
    assert isinstance(published, commands.Basic.Publish)
    assert (published.exchange, published.routing_key, published.mandatory) == ("x", "é", False)
    bound = read(bind_frame(b"q", b"x", b"k"))
    assert isinstance(bound, commands.Queue.Bind)
    assert (bound.queue, bound.exchange, bound.routing_key, bound.nowait) == ("q", "x", "k", True)
    unbound = read(unbind_frame(b"q", b"x", b"k"))
    assert isinstance(unbound, commands.Queue.Unbind)
    assert (unbound.queue, unbound.exchange, unbound.routing_key) == ("q", "x", "k")
    content = frame.unmarshal(content_frames(b"n.1", b"body", 4096))[2]
    assert isinstance(content, header.ContentHeader)
    assert (content.body_size, content.properties.message_id, content.properties.delivery_mode) == (4, "n.1", None)


def test_a_strangers_message_is_skipped_and_the_next_one_heard() -> None:
    first = delivered(b"key", b"n.1", b"body")
    method, _, rest = first.partition(b"\xce")
    header_frame = rest.partition(b"\xce")[0]
    strange_properties = ((0xFFFE, b"\xff" * 30), (0x2000, b"\0\0\0\x09garbage!!"), (0x8080, b"\x02\xff\xfe"))
    for flags, properties in strange_properties:
        payload = header_frame[7:19] + flags.to_bytes(2, "big") + properties
        strange = b"\x02\x00\x01" + len(payload).to_bytes(4, "big") + payload + b"\xce"
        body = rest.partition(b"\xce")[2]
        found = parse([method + b"\xce" + strange + body, delivered(b"key", b"n.1", b"next")])
        assert [message[-1] for message in found] == [b"body", b"next"]


def test_a_message_that_is_too_long_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rabbitmq_wire, "LONGEST_MESSAGE", 10_000)
    found = parse([delivered(b"key", b"n.1", b"x" * 30_000), delivered(b"key", b"n.1", b"next")])
    assert [message[-1] for message in found] == [b"next"]
