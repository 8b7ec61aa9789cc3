"""What a peer gets does not depend on how its bytes are cut into segments, nor on when it reads its answers."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.http_socket import HttpSocket

HOST = b"Host: x\r\n"
H2C = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
WEBSOCKET = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"

_bodies = st.sampled_from([b"", b"x", b"\r\n\r\n", b"GET /inner HTTP/1.1\r\nHost: x\r\n\r\n", b"0\r\n\r\n", b"b" * 300])
_extra = st.sampled_from([b"", b"", H2C, b"Expect: 100-continue\r\n", b"X: " + b"v" * 200 + b"\r\n"])


def _declared(body: bytes, extra: bytes) -> bytes:
    return b"POST /declared HTTP/1.1\r\n" + HOST + extra + b"Content-Length: %d\r\n\r\n" % len(body) + body


def _chunked(chunks: list[bytes], extra: bytes, trailer: bytes) -> bytes:
    body = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks if chunk)
    head = b"POST /chunked HTTP/1.1\r\n" + HOST + extra + b"Transfer-Encoding: chunked\r\n\r\n"
    return head + body + b"0\r\n" + trailer + b"\r\n"


_gets = _extra.map(lambda extra: b"GET /get?a=b HTTP/1.1\r\n" + HOST + extra + b"\r\n")
_good = (
    _gets
    | st.builds(_declared, _bodies, _extra)
    | st.builds(_chunked, st.lists(_bodies, max_size=3), _extra, st.sampled_from([b"", b"Host: y\r\n"]))
    | st.sampled_from([b"\r\n", b"HEAD /head HTTP/1.1\r\nHost: x\r\n\r\n"])
)
_last = st.sampled_from(
    [
        b"",
        b"GET /half HTTP/1.1\r\nHost:",
        b"POST /half HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
        b"GET /close HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /old HTTP/1.0\r\n\r\n",
        b"garbage\r\n\r\n",
        b"GET /no-host HTTP/1.1\r\n\r\n",
        b"POST /both HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /large HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001,
        b"POST /large HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n"
        + b"x" * 1001
        + b"\r\n0\r\n\r\n",
        b"POST /chunk HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n0\r\n\r\n",
        b"GET /head HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: v\r\n" % n for n in range(1500)) + b"\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 3\r\n\r\nabc",
        b"GET /app/key HTTP/1.1\r\nHost: x\r\n" + WEBSOCKET + b"\r\nframes",
    ]
)
_streams = st.builds(lambda good, last, rest: b"".join(good) + last + rest, st.lists(_good, max_size=4), _last, _good)


class _Frames(asyncio.Protocol):
    """Takes a socket over and sends back what comes."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        transport.set_protocol(self)
        transport.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)


def _outcome(segments: list[bytes], *, takes_upgrades: bool) -> tuple[bytes, list[str], int | None]:
    """Return all that can be seen of a stream: the bytes sent, what was carried out, the second at which it ended."""
    socket = HttpSocket(max_body_bytes=1000)
    if takes_upgrades:
        socket.service.successor = _Frames
    else:
        socket.service.upgrade_status = 404
    socket.feed(*segments)
    ended = None
    for second in range(90):
        if socket.is_finished:
            ended = second
            break
        socket.clock.advance(1)
    return socket.transport.read(), socket.asked, ended


def _cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    return [stream[start:end] for start, end in pairwise(places)]


@settings(max_examples=400, deadline=None)
@given(_streams, st.lists(st.integers(0, 100_000), max_size=6), st.booleans())
def test_any_cuts_give_the_same_answers_at_the_same_time(stream: bytes, cuts: list[int], takes_upgrades: bool) -> None:
    whole = _outcome([stream], takes_upgrades=takes_upgrades)
    assert _outcome(_cut(stream, cuts), takes_upgrades=takes_upgrades) == whole


@settings(max_examples=60, deadline=None)
@given(_streams, st.booleans())
def test_bytes_that_come_one_by_one_give_the_same_answers(stream: bytes, takes_upgrades: bool) -> None:
    whole = _outcome([stream], takes_upgrades=takes_upgrades)
    assert _outcome([bytes([byte]) for byte in stream], takes_upgrades=takes_upgrades) == whole


def test_every_cut_of_a_long_stream_gives_equal_answers() -> None:
    stream = (
        b"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n"
        + _declared(b"GET /inner HTTP/1.1\r\nHost: x\r\n\r\n", H2C)
        + _chunked([b"one", b"two"], b"Expect: 100-continue\r\n", b"Trailer: z\r\n")
        + b"GET /app/key HTTP/1.1\r\nHost: x\r\n"
        + WEBSOCKET
        + b"\r\nframes"
    )
    whole = _outcome([stream], takes_upgrades=True)
    assert whole[0].endswith(b"\r\n\r\nframes")
    for cut in range(1, len(stream)):
        assert _outcome([stream[:cut], stream[cut:]], takes_upgrades=True) == whole, cut


@settings(max_examples=150, deadline=None)
@given(
    st.lists(_good.filter(lambda request: b"HEAD" not in request), min_size=1, max_size=40),
    st.integers(1, 3000),
    st.lists(st.booleans(), min_size=1, max_size=20),
)
def test_a_slow_reader_gets_the_same_answers_in_order(requests: list[bytes], size: int, reads: list[bool]) -> None:
    stream = b"".join(requests)
    undisturbed = HttpSocket(max_body_bytes=1000)
    undisturbed.feed(stream)
    socket = HttpSocket(max_body_bytes=1000)
    socket.transport.set_write_buffer_limits(high=500)
    socket.transport.stall()
    for number, start in enumerate(range(0, len(stream), size)):
        if not socket.transport.is_reading() or reads[number % len(reads)]:
            socket.transport.take()
            socket.transport.stall()
        # An upgrade that had to wait has ended the socket.
        if socket.is_finished:
            break
        # What has waited may have filled the buffer again; a segment that is on its way arrives all the same.
        socket.protocol.data_received(stream[start : start + size])
    for _ in range(len(requests)):
        socket.transport.take()
    assert socket.asked == undisturbed.asked[: len(socket.asked)]
    assert socket.is_finished or socket.asked == undisturbed.asked
    assert [status for status in socket.statuses() if status != 100] == [200] * len(socket.asked)
