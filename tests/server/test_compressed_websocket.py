from __future__ import annotations

import json
import zlib
from typing import Any

import pytest

from sockudo.hub.broadcast import Broadcast
from sockudo.node.node import shutting_down
from sockudo.server.websocket import WebSocketProtocol
from sockudo.websocket.frames import payload_of, text_frame
from tests.clients.frames import CLOSE, PING, PONG, TEXT, masked_close, masked_frame
from tests.fakes.stack import Stack, upgrade
from tests.fakes.transport import FakeTransport

RSV1 = 4
OFFER = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
PLAIN_ANSWER = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"


def packed(text: bytes) -> bytes:
    compressor = zlib.compressobj(9, wbits=-15)
    return (compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def message(text: bytes) -> bytes:
    return masked_frame(TEXT, packed(text), rsv=RSV1)


def subscribe(channel: str, filler: int = 0) -> bytes:
    return json.dumps({"event": "pusher:subscribe", "data": {"channel": channel, "x": " " * filler}}).encode()


def frames_of(data: bytes) -> list[tuple[int, bytes]]:
    """Return first byte and payload, inflated, of every frame."""
    frames = []
    while data:
        start = 2 if data[1] < 126 else 4 if data[1] == 126 else 10
        size = data[1] if start == 2 else int.from_bytes(data[2:start])
        payload = payload_of(data[: start + size])
        if data[0] == 0xC1:
            payload = zlib.decompressobj(-15).decompress(payload + b"\0\0\xff\xff")
        frames.append((data[0], payload))
        data = data[start + size :]
    return frames


class Peer:
    """A client that has agreed on compression."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.transport: FakeTransport = stack.socket()
        self.transport.feed(upgrade()[:-2] + OFFER)
        head, _, rest = self.transport.read().partition(b"\r\n\r\n")
        assert b"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_con" in head
        ((first, greeting),) = frames_of(rest)
        assert first == 0x81
        self.socket_id = json.loads(json.loads(greeting)["data"])["socket_id"]

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Send bytes and return what comes back."""
        self.transport.feed(data)
        return self.take()

    def take(self) -> list[tuple[int, bytes]]:
        """Let turns pass until nothing waits, and return what has come."""
        for _ in range(5):
            self._stack.clock.run_soon()
        return frames_of(bytes(self.transport.read()))

    def events(self, data: bytes) -> list[Any]:
        return [json.loads(payload)["event"] for first, payload in self.feed(data) if first & 0x0F == TEXT]


@pytest.fixture
def stack() -> Stack:
    return Stack(websocket={"compression": "shared"})


def totals(stack: Stack) -> Any:
    return stack.node.hub.totals["1"]


def deliver(stack: Stack, text: bytes) -> None:
    stack.node.hub.deliver("1", "news", Broadcast(text_frame(text)))
    stack.clock.run_soon()


def test_a_client_without_an_offer_gets_the_plain_answer() -> None:
    for stack in (Stack(), Stack(websocket={"compression": "shared"})):
        transport = stack.socket()
        transport.feed(upgrade())
        assert PLAIN_ANSWER in transport.read()


def test_an_offer_is_ignored_while_compression_is_off() -> None:
    transport = Stack().socket()
    transport.feed(upgrade()[:-2] + OFFER)
    assert PLAIN_ANSWER in transport.read()


def test_a_malformed_offer_is_refused_with_400(stack: Stack) -> None:
    transport = stack.socket()
    transport.feed(upgrade()[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate;\r\n\r\n")
    assert transport.read().startswith(b"HTTP/1.1 400 ")
    assert stack.node.hub.totals["1"].errors["websocket_upgrade_failed"] == 1


def test_long_events_are_compressed_and_short_ones_are_not(stack: Stack) -> None:
    peer = Peer(stack)
    assert peer.events(message(subscribe("news"))) == ["pusher_internal:subscription_succeeded"]
    before = totals(stack).bytes_sent
    deliver(stack, b'{"event":"short"}')
    deliver(stack, b'{"event":"long","data":"%b"}' % (b"x" * 1000))
    sent = bytes(peer.transport.read())
    assert [(first, len(payload)) for first, payload in frames_of(sent)] == [(0x81, 17), (0xC1, 1026)]
    assert totals(stack).bytes_sent - before == len(sent) < 100


def test_bytes_on_the_wire_are_counted_both_ways(stack: Stack) -> None:
    peer = Peer(stack)
    text = subscribe("news", 5000)
    peer.feed(message(text))
    assert (totals(stack).messages_received, totals(stack).bytes_received) == (1, len(packed(text)))
    peer.feed(masked_frame(TEXT, b'{"event":"pusher:ping","data":{}}'))
    assert totals(stack).bytes_received == len(packed(text)) + 33


@pytest.mark.parametrize("size", [1, 7, 512, 100_000])
def test_messages_are_carried_out_in_order_however_they_come(size: int) -> None:
    stack = Stack(websocket={"compression": "shared"}, websocket_max_payload_kb=1000)
    peer = Peer(stack)
    stream = b"".join(message(subscribe(f"c{n}", 300_000 * (n % 3))) for n in range(9)) + masked_frame(PING, b"last")
    answers = []
    for start in range(0, len(stream), size):
        answers += peer.feed(stream[start : start + size])
    channels = [json.loads(payload)["channel"] for first, payload in answers if first & 0x0F == TEXT]
    assert channels == [f"c{n}" for n in range(9)]
    assert (0x80 | PONG, b"last") in answers
    assert peer.transport.is_reading()


def test_a_message_long_to_inflate_waits_for_later_turns() -> None:
    stack = Stack(websocket={"compression": "shared"}, websocket_max_payload_kb=10_000)
    peer = Peer(stack)
    peer.transport.feed(message(subscribe("news", 350_000)) + masked_frame(PING, b"?"))
    assert not peer.transport.is_reading()
    assert not peer.transport.read()
    # The transport may still bring what it had read.
    protocol = peer.transport.get_protocol()
    assert isinstance(protocol, WebSocketProtocol)
    protocol.data_received(message(subscribe("more")))
    answers = peer.take()
    # A pong does not wait for the end of the tick.
    assert [first & 0x0F for first, _ in answers] == [PONG, TEXT, TEXT]
    assert [json.loads(payload)["channel"] for _, payload in answers[1:]] == ["news", "more"]
    assert peer.transport.is_reading()


@pytest.mark.parametrize(
    ("data", "code", "reason"),
    [
        (message(b"\0" * 70_000), 1009, "inflated: the limit is 65536 bytes (websocket_max_payload_kb)"),
        (masked_frame(TEXT, b"\xff\xff", rsv=RSV1), 1007, "message is no DEFLATE data"),
        (masked_frame(PING, b"", rsv=RSV1), 1002, "reserved bit is set"),
    ],
)
def test_a_wrong_message_closes_the_socket_with_its_code(stack: Stack, data: bytes, code: int, reason: str) -> None:
    ((first, payload),) = Peer(stack).feed(data)
    assert first == 0x80 | CLOSE
    assert (int.from_bytes(payload[:2]), payload[2:].decode()[-len(reason) :]) == (code, reason)


def test_a_close_frame_ends_a_socket_that_is_behind() -> None:
    stack = Stack(websocket={"compression": "shared"}, websocket_max_payload_kb=10_000)
    peer = Peer(stack)
    peer.transport.feed(message(subscribe("news", 350_000)))
    (protocol,) = stack.front.websockets.sockets
    assert isinstance(protocol, WebSocketProtocol)
    assert protocol.connection is not None
    stack.node.fail(protocol.connection, shutting_down())
    stack.clock.run_soon()
    answers = peer.feed(masked_close(4200))
    assert answers[-1][0] == 0x80 | CLOSE
    assert peer.transport.is_closing()


def test_the_limit_of_unsent_bytes_is_of_compressed_ones() -> None:
    stack = Stack(websocket={"compression": "shared", "max_buffer_kb": 8})
    peer = Peer(stack)
    peer.feed(message(subscribe("news")))
    peer.transport.stall()
    text = b'{"event":"long","data":"%b"}' % (b"x" * 4000)
    for _ in range(20):
        deliver(stack, text)
    assert stack.node.counters.slow_consumers == 0
    assert totals(stack).bytes_sent < 8192
