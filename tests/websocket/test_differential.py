"""Our reader and encoder against two independent implementations, `websockets` and `wsproto`.

The same bytes go to all three. Each answers with the messages it delivers and with a close code if it fails the
connection; the answers must be equal, but for the differences in `EXCUSES`. Each of those is one sentence about one
library, with the narrowest condition that recognises it, and each is asserted to be needed.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.frames import Frame
from websockets.protocol import Protocol, State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri
from wsproto import ConnectionType, WSConnection
from wsproto.connection import Connection, ConnectionState
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, Pong, Request, TextMessage

from sockudo.websocket.frames import FrameReader, close_frame, encode_frame, parse_close, text_frame
from sockudo.websocket.handshake import accept
from tests.clients.frame_streams import any_stream, good_streams
from tests.clients.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    KEY,
    PING,
    PONG,
    TEXT,
    masked_close,
    masked_frame,
)

# The libraries are asked without a limit, so ours must not be one either; limits have a test of their own.
NO_LIMIT = 1 << 70

deterministic = settings(deadline=None, derandomize=True)


@dataclass(frozen=True)
class Verdict:
    """What an implementation makes of a stream: messages, and the close code (with its words) if it fails."""

    messages: list[tuple[int, bytes]]
    code: int | None = None
    why: str = field(default="", compare=False)


Judge = Callable[[bytes], Verdict]


def ask_ours(stream: bytes, limit: int = NO_LIMIT) -> Verdict:
    reader = FrameReader(limit)
    messages = reader.feed(stream)
    if reader.error is None:
        return Verdict(messages)
    return Verdict(messages, reader.error.close_code, reader.error.reason)


def ask_websockets(stream: bytes, limit: int | None = None) -> Verdict:
    return _hear_websockets(ServerProtocol(state=State.OPEN, max_size=limit), stream)


def _hear_websockets(protocol: Protocol, stream: bytes) -> Verdict:
    """Join the frames of `websockets` to messages and check their text, as its own connection classes do."""
    protocol.receive_data(stream)
    messages: list[tuple[int, bytes]] = []
    opcode, payload = CONTINUATION, bytearray()
    decoder = codecs.getincrementaldecoder("utf-8")()
    for frame in protocol.events_received():
        assert isinstance(frame, Frame)
        data = bytes(frame.data)
        if frame.opcode >= CLOSE:
            messages.append((int(frame.opcode), data))
            continue
        opcode = int(frame.opcode) or opcode
        payload += data
        if opcode == TEXT:
            try:
                decoder.decode(data, frame.fin)
            except UnicodeDecodeError as bad_text:
                return Verdict(messages, 1007, str(bad_text))
        if frame.fin:
            messages.append((opcode, bytes(payload)))
            payload.clear()
    error = protocol.parser_exc
    codes = {ProtocolError: 1002, UnicodeDecodeError: 1007, PayloadTooBig: 1009}
    return Verdict(messages, codes[type(error)], str(error)) if error else Verdict(messages)


def ask_wsproto(stream: bytes) -> Verdict:
    return _hear_wsproto(Connection(ConnectionType.SERVER), stream)


def _hear_wsproto(connection: Connection, stream: bytes) -> Verdict:
    connection.receive_data(stream)
    messages: list[tuple[int, bytes]] = []
    payload = bytearray()
    for event in connection.events():
        match event:
            case TextMessage() | BytesMessage():
                payload += event.data.encode() if isinstance(event.data, str) else event.data
                if event.message_finished:
                    messages.append((TEXT if isinstance(event, TextMessage) else BINARY, bytes(payload)))
                    payload.clear()
            case Ping():
                messages.append((PING, bytes(event.payload)))
            case Pong():
                messages.append((PONG, bytes(event.payload)))
            case CloseConnection() if connection.state is ConnectionState.REMOTE_CLOSING:
                # 7.1.5: 1005 stands for a close frame without a code.
                body = b"" if event.code == 1005 else event.code.to_bytes(2, "big") + (event.reason or "").encode()
                messages.append((CLOSE, body))
            case CloseConnection():
                return Verdict(messages, event.code, event.reason or "")
    return Verdict(messages)


def completed(stream: bytes) -> bytes | None:
    """Return `stream` with what its last frame still wants; None if that is more than a MiB."""
    position = 0
    while position < len(stream):
        head = stream[position : position + 10]
        length, start = head[1] & 0x7F if len(head) > 1 else 0, 2
        if length >= 126:
            # A length that is incomplete becomes one that needs its width.
            shortest = b"\0\xff" if length == 126 else b"\0\0\0\0\0\1\0\xff"
            start += len(shortest)
            head += shortest[len(head) - 2 :] if len(head) < start else b""
            length = int.from_bytes(head[2:start], "big")
        end = position + start + (4 if head[1:2] >= b"\x80" else 0) + length
        if end - len(stream) > 1 << 20:
            return None
        if position + start > len(stream):
            stream = stream[:position] + head[:start].ljust(start, b"\0")
        stream = stream.ljust(end, b"\0")
        position = end
    return stream


LENGTH_RULES = ("length is not minimal", "length has its top bit set")

# The differences. Each condition gets the judge, the stream, our verdict and the other one.


def waits_for_the_end_of_the_frame(ask: Judge, stream: bytes, ours: Verdict, theirs: Verdict) -> bool:
    """We refuse a frame on its header; both libraries judge some rules only with the payload.

    `websockets`: reserved bits, long or fragmented control frames, order of fragments. `wsproto`: order of fragments,
    and the mask and the reserved bits of a frame whose extended length is incomplete.
    """
    if (ours.code, theirs.code) != (1002, None) or ours.messages != theirs.messages or ours.why in LENGTH_RULES:
        return False
    whole = completed(stream)
    return whole is None or ask(whole) == ours


def looks_into_an_unfinished_frame(ask: Judge, stream: bytes, ours: Verdict, theirs: Verdict) -> bool:
    """`wsproto` validates text as its bytes arrive; we do when its frame is complete, with the same result."""
    if ask is not ask_wsproto or (ours.code, theirs.code) != (None, 1007) or ours.messages != theirs.messages:
        return False
    whole = completed(stream)
    return whole is None or ask_ours(whole) == theirs


def takes_any_length(ask: Judge, stream: bytes, ours: Verdict, theirs: Verdict) -> bool:
    """`websockets` takes lengths that could be shorter and 64-bit lengths with the top bit set (5.2 forbids both)."""
    before = len(ours.messages)
    if ask is not ask_websockets or ours.code != 1002 or theirs.messages[:before] != ours.messages:
        return False
    if ours.why != "control frame is too long":
        return ours.why in LENGTH_RULES
    # Our words for a control frame with any length but a 7-bit one, which may say that there are few bytes.
    whole = ask(completed(stream) or stream)
    return whole.code == 1007 or any(opcode >= CLOSE for opcode, _ in whole.messages[before : before + 1])


def refuses_a_close_inside_a_message(ask: Judge, stream: bytes, ours: Verdict, theirs: Verdict) -> bool:
    """`websockets` fails when a close comes between fragments; 5.4 allows control frames there."""
    return (
        ask is ask_websockets
        and (ours.code, theirs.code) == (None, 1002)
        and theirs.why == "incomplete fragmented message"
        and ours.messages[-1][0] == CLOSE
        and ours.messages[:-1] == theirs.messages
    )


def reads_the_reason_before_the_code(ask: Judge, stream: bytes, ours: Verdict, theirs: Verdict) -> bool:
    """`websockets` reports the reason of a close frame whose code and reason are both bad, we report the code."""
    return (
        ask is ask_websockets
        and (ours.code, theirs.code) == (1002, 1007)
        and ours.why.startswith("close code")
        and ours.messages == theirs.messages
    )


def knows_no_bad_gateway(ask: Judge, stream: bytes, ours: Verdict, theirs: Verdict) -> bool:
    """`wsproto` refuses code 1014, which IANA registered after the RFC."""
    return (
        ask is ask_wsproto
        and (ours.code, theirs.code) == (None, 1002)
        and theirs.why == "CLOSE with unknown reserved code"
        and ours.messages[-1][1][:2] == (1014).to_bytes(2, "big")
        and ours.messages[:-1] == theirs.messages
    )


EXCUSES = [
    waits_for_the_end_of_the_frame,
    looks_into_an_unfinished_frame,
    takes_any_length,
    refuses_a_close_inside_a_message,
    reads_the_reason_before_the_code,
    knows_no_bad_gateway,
]
JUDGES: list[Judge] = [ask_websockets, ask_wsproto]


def excuses(ask: Judge, stream: bytes) -> list[str]:
    """Return which differences explain that the judge disagrees; no explanation fails the test."""
    ours, theirs = ask_ours(stream), ask(stream)
    if ours == theirs:
        return []
    names = [excuse.__name__ for excuse in EXCUSES if excuse(ask, stream, ours, theirs)]
    assert names, (stream.hex(" "), ours, theirs)
    return names


@pytest.mark.parametrize("ask", JUDGES)
@settings(deterministic, max_examples=300)
@given(stream=good_streams)
def test_what_a_good_client_sends_means_the_same_to_all(ask: Judge, stream: bytes) -> None:
    verdict = ask_ours(stream)
    assert verdict.code is None
    assert verdict == ask(stream)


@pytest.mark.parametrize("ask", JUDGES)
@settings(deterministic, max_examples=1200)
@given(stream=any_stream)
def test_what_any_client_sends_means_the_same_to_all(ask: Judge, stream: bytes) -> None:
    excuses(ask, stream)


@settings(deterministic, max_examples=300)
@given(stream=good_streams, limit=st.integers(0, 200) | st.integers(4000, 4100))
def test_10_4_all_that_have_a_limit_agree_on_it(stream: bytes, limit: int) -> None:
    """Control frames are left out: `websockets` counts one between fragments as a part of the message."""
    stream = without_control_frames(stream)
    assert ask_ours(stream, limit) == ask_websockets(stream, limit)


def without_control_frames(stream: bytes) -> bytes:
    """Return the data frames of a stream of whole, well-formed, masked frames."""
    kept, position = b"", 0
    while position < len(stream):
        length, start = stream[position + 1] & 0x7F, position + 2
        if length >= 126:
            width = 2 if length == 126 else 8
            length, start = int.from_bytes(stream[start : start + width], "big"), start + width
        end = start + 4 + length
        if stream[position] & 0x0F < CLOSE:
            kept += stream[position:end]
        position = end
    return kept


@pytest.mark.parametrize("ask", JUDGES)
@pytest.mark.parametrize("second", [0x00, 0x05, 0x7D, 0x7E, 0x7F, 0x80, 0x85, 0xFD, 0xFE, 0xFF])
def test_every_first_byte_means_the_same_to_all(second: int, ask: Judge) -> None:
    """All opcodes, FIN and reserved bits, alone and inside a fragmented message; before every kind of length."""
    for before in (b"", masked_frame(TEXT, b"ab", fin=False), masked_frame(BINARY, b"ab", fin=False)):
        for first in range(256):
            head = bytes((first, second))
            for tail in (b"", bytes(6), b"\x01" + bytes(300), b"\0\0\0\0\0\1\0\0" + KEY + bytes(65536)):
                excuses(ask, before + head + tail)


@pytest.mark.parametrize("ask", JUDGES)
def test_7_4_every_close_code_means_the_same_to_all(ask: Judge) -> None:
    for code in [*range(5100), 65535]:
        expected = ["knows_no_bad_gateway"] if ask is ask_wsproto and code == 1014 else []
        assert excuses(ask, masked_close(code, "é")) == expected


@pytest.mark.parametrize(
    ("ask", "stream", "excuse"),
    [
        (ask_websockets, masked_frame(TEXT, b"abc", rsv=4)[:-1], waits_for_the_end_of_the_frame),
        (ask_websockets, masked_frame(PING, b"x" * 126)[:-1], waits_for_the_end_of_the_frame),
        (ask_websockets, masked_frame(CONTINUATION, b"abc")[:-1], waits_for_the_end_of_the_frame),
        (ask_wsproto, masked_frame(CONTINUATION, b"abc")[:6], waits_for_the_end_of_the_frame),
        (ask_wsproto, masked_frame(TEXT, b"x" * 200, key=None)[:3], waits_for_the_end_of_the_frame),
        (ask_wsproto, masked_frame(TEXT, b"\xff\xff")[:-1], looks_into_an_unfinished_frame),
        (ask_websockets, masked_frame(TEXT, b"abc", length_bits=16), takes_any_length),
        (ask_websockets, masked_frame(PING, b"abc", length_bits=16), takes_any_length),
        (ask_websockets, masked_frame(PING, b"abc", length_bits=64)[:-1], takes_any_length),
        (ask_websockets, b"\x82\xff" + (1 << 63).to_bytes(8, "big") + KEY, takes_any_length),
        (
            ask_websockets,
            masked_frame(TEXT, b"abc", fin=False) + masked_close(1000),
            refuses_a_close_inside_a_message,
        ),
        (ask_websockets, masked_frame(CLOSE, b"\x03\xec\xff"), reads_the_reason_before_the_code),
        (ask_wsproto, masked_close(1014), knows_no_bad_gateway),
    ],
)
def test_each_difference_is_still_there(ask: Judge, stream: bytes, excuse: Callable[..., bool]) -> None:
    """When a library changes, its excuse goes."""
    assert excuses(ask, stream) == [excuse.__name__]


# Our encoder


def read_as_client(stream: bytes) -> list[Verdict]:
    """Return what the client sides of both libraries make of `stream`."""
    websockets = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN, max_size=None)
    return [_hear_websockets(websockets, stream), _hear_wsproto(Connection(ConnectionType.CLIENT), stream)]


_sizes = st.sampled_from([0, 1, 125, 126, 127, 65535, 65536, 65537])
_outgoing = st.one_of(
    st.tuples(st.just(TEXT), st.text().map(str.encode) | _sizes.map(lambda size: b"x" * size)),
    st.tuples(st.just(BINARY), st.binary() | _sizes.map(lambda size: b"\xff" * size)),
    st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=125)),
)


@settings(deterministic, max_examples=200)
@given(st.lists(_outgoing, max_size=5))
def test_what_we_encode_is_read_by_all_clients(messages: list[tuple[int, bytes]]) -> None:
    stream = b"".join(encode_frame(opcode, payload) for opcode, payload in messages)
    assert read_as_client(stream) == [Verdict(messages)] * 2


@settings(deterministic, max_examples=100)
@given(st.text() | _sizes.map(lambda size: "x" * size))
def test_a_text_frame_is_read_by_all_clients(text: str) -> None:
    assert read_as_client(text_frame(text.encode())) == [Verdict([(TEXT, text.encode())])] * 2


@settings(deterministic, max_examples=200)
@given(st.none() | st.integers(3000, 4999) | st.sampled_from([1000, 1001, 1011, 1013]), st.text(max_size=200))
def test_a_close_frame_is_read_by_all_clients(code: int | None, reason: str) -> None:
    frame = close_frame(code, reason if code else "")
    assert parse_close(frame[2:])[0] == code
    assert read_as_client(frame) == [Verdict([(CLOSE, frame[2:])])] * 2


# Our handshake


def _head(request: bytes) -> list[tuple[bytes, bytes]]:
    lines = request.removesuffix(b"\r\n\r\n").split(b"\r\n")[1:]
    return [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]


def test_4_2_2_the_client_of_websockets_takes_our_response() -> None:
    client = ClientProtocol(parse_uri("ws://localhost:6001/app/key"))
    client.send_request(client.connect())
    [request] = client.data_to_send()
    client.receive_data(accept(b"GET", "1.1", _head(request)))
    assert client.handshake_exc is None
    assert client.state is State.OPEN


def test_4_2_2_the_client_of_wsproto_takes_our_response() -> None:
    client = WSConnection(ConnectionType.CLIENT)
    request = client.send(Request(host="localhost:6001", target="/app/key", extensions=[], subprotocols=[]))
    client.receive_data(accept(b"GET", "1.1", _head(request)))
    [event] = client.events()
    assert isinstance(event, AcceptConnection)
    assert (event.subprotocol, event.extensions) == (None, [])
