"""HTTP on one socket: what is answered, in which order, what is refused, and when the socket ends."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.fakes.clock import TickingClock
from tests.fakes.http_socket import HttpSocket
from tests.fakes.transport import FakeTransport

HOST = b"Host: x\r\n"


def get(path: str, *lines: bytes, version: bytes = b"1.1") -> bytes:
    """Return a request without a body."""
    return (
        b"GET %b HTTP/%b\r\n" % (path.encode(), version) + HOST + b"".join(line + b"\r\n" for line in lines) + b"\r\n"
    )


def post(path: str, body: bytes, *lines: bytes) -> bytes:
    """Return a request whose body has a declared length."""
    head = b"POST %b HTTP/1.1\r\n" % path.encode() + HOST + b"Content-Length: %d\r\n" % len(body)
    return head + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def chunked(path: str, *chunks: bytes, trailers: bytes = b"") -> bytes:
    """Return a request whose body comes in chunks."""
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return (
        b"POST %b HTTP/1.1\r\n" % path.encode()
        + HOST
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + (body + b"0\r\n" + trailers + b"\r\n")
    )


def error_of(socket: HttpSocket) -> tuple[int, str]:
    """Return status and text of the one answer, which is an error and the last."""
    (answer,) = socket.answers()
    assert answer.headers["connection"] == "close"
    assert socket.is_finished
    body = json.loads(answer.body)
    assert body["code"] == answer.status
    return answer.status, body["error"]


# What is answered


def test_a_request_is_answered_and_the_socket_stays_open() -> None:
    socket = HttpSocket()
    socket.feed(get("/a?b=c"))
    (answer,) = socket.answers()
    assert (answer.status, answer.body) == (200, b"GET /a?b=c [host] ")
    assert "connection" not in answer.headers
    assert not socket.is_finished
    socket.feed(post("/d", b"body"))
    assert [answer.body for answer in socket.answers()] == [b"POST /d? [host,content-length] body"]


def test_pipelined_requests_are_answered_in_order_with_few_writes() -> None:
    socket = HttpSocket()
    socket.feed(b"".join(get(f"/{number}") for number in range(100)))
    assert [answer.body for answer in socket.answers()] == [f"GET /{n}? [host] ".encode() for n in range(100)]
    assert socket.transport.writes <= 10


def test_a_chunked_body_arrives_whole() -> None:
    socket = HttpSocket()
    socket.feed(chunked("/c", b"one", b"two" * 50, b"three"), get("/next"))
    assert socket.asked == ["POST /c? [host,transfer-encoding] one" + "two" * 50 + "three", "GET /next? [host] "]


def test_head_is_answered_without_a_body() -> None:
    socket = HttpSocket()
    socket.feed(b"HEAD /a HTTP/1.1\r\n" + HOST + b"\r\n")
    raw = socket.transport.read()
    head, _, body = raw.partition(b"\r\n\r\n")
    assert (head.startswith(b"HTTP/1.1 200"), body) == (True, b"")
    assert b"Content-Length: 16" in head


def test_http_1_0_is_answered_and_closed() -> None:
    socket = HttpSocket()
    socket.feed(b"GET /a HTTP/1.0\r\n\r\n")
    (answer,) = socket.answers()
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert socket.is_finished


def test_connection_close_ends_the_socket_and_drops_later_requests() -> None:
    socket = HttpSocket()
    socket.feed(get("/a", b"Connection: close") + get("/b"))
    assert socket.statuses() == [200]
    assert socket.asked == ["GET /a? [host,connection] "]
    assert socket.is_finished


def test_empty_lines_before_a_request_are_passed_over() -> None:
    socket = HttpSocket()
    socket.feed(b"\r\n\r\n" + get("/a") + b"\r\n" + get("/b"))
    assert socket.statuses() == [200, 200]


def test_the_peers_address_is_requested_only_where_needed() -> None:
    socket = HttpSocket()
    socket.feed(get("/"))
    assert socket.service.requests[0].peer == "192.0.2.1"
    socket.service.needs_peer = False
    socket.protocol.connection_made(FakeTransport(socket.clock, socket.protocol, peer=("192.0.2.2", 1)))
    assert socket.service.requests[0].peer == "192.0.2.1"


def test_trailers_are_no_part_of_the_request() -> None:
    # A proxy that sets X-Forwarded-For in the head lets trailers pass as they are.
    socket = HttpSocket()
    socket.feed(chunked("/c", b"x", trailers=b"X-Forwarded-For: 192.0.2.9\r\n"), get("/next"))
    assert socket.asked == ["POST /c? [host,transfer-encoding] x", "GET /next? [host] "]


def test_trailers_are_bounded_like_a_head() -> None:
    socket = HttpSocket()
    socket.feed(chunked("/c", b"x", trailers=b"".join(b"X-%d: %b\r\n" % (n, b"y" * 100) for n in range(200))))
    assert error_of(socket)[0] == 431
    assert socket.asked == []


def test_a_mistake_of_our_own_is_raised_with_its_cause() -> None:
    socket = HttpSocket()
    socket.service.handle = None  # type: ignore[assignment, method-assign]  # a mistake
    with pytest.raises(Exception) as raised:
        socket.feed(get("/"))
    assert isinstance(raised.value.__context__, TypeError)


# Sizes


def test_a_body_declared_too_large_is_refused_before_it_comes() -> None:
    socket = HttpSocket(max_body_bytes=1000)
    socket.feed(post("/", b"x" * 1001)[:-1001])
    status, text = error_of(socket)
    assert (status, socket.asked) == (413, [])
    assert "1000 bytes" in text
    assert "http_api.request_limit_in_mb" in text


@pytest.mark.parametrize("length", [b"1001", b"999999999999999999", b"0" * 30 + b"5"])
def test_a_length_over_the_limit_or_absurdly_written_is_413(length: bytes) -> None:
    socket = HttpSocket(max_body_bytes=1000)
    socket.feed(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: %b\r\n\r\n" % length)
    assert error_of(socket)[0] == 413


def test_a_body_of_exactly_the_limit_is_taken() -> None:
    socket = HttpSocket(max_body_bytes=1000)
    socket.feed(post("/", b"x" * 1000), chunked("/", b"x" * 999, b"x"))
    assert socket.statuses() == [200, 200]


def test_a_chunked_body_is_refused_once_it_passes_the_limit() -> None:
    socket = HttpSocket(max_body_bytes=1000)
    socket.feed(chunked("/", b"x" * 999, b"xx"))
    assert error_of(socket)[0] == 413
    assert socket.asked == []


def test_input_after_a_refusal_is_discarded_until_the_peer_ends() -> None:
    # Closing on unread bytes would reset the socket, and the peer might never read why.
    socket = HttpSocket(max_body_bytes=1000)
    socket.feed(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5000\r\n\r\n", b"x" * 2500, b"x" * 2500, get("/a"))
    assert error_of(socket)[0] == 413
    assert not socket.transport.is_closing()
    socket.transport.feed_eof()
    socket.clock.run_soon()
    assert socket.transport.is_lost
    assert socket.service.connections == set()
    assert socket.asked == []


def test_a_peer_that_sends_on_after_a_refusal_is_dropped() -> None:
    socket = HttpSocket(max_body_bytes=1000)
    socket.feed(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5000\r\n\r\n")
    for _ in range(9):
        socket.clock.advance(1)
        socket.feed(b"x")
    assert not socket.transport.is_lost
    socket.clock.advance(3)
    assert socket.transport.was_aborted


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 17_000,
        b"GET /?" + b"a" * 17_000 + b" HTTP/1.1\r\n",
        get("/", b"X: " + b"a" * 17_000),
        get("/", *[b"X-%d: %b" % (number, b"a" * 100) for number in range(200)]),
        get("/", *[b"a:"] * 10_000),
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"n" * 17_000 + b": v\r\n\r\n",
    ],
    ids=["URL unfinished", "query", "one header", "many headers", "10 000 headers", "name"],
)
@pytest.mark.parametrize("size", [100, 3000, 1_000_000])
def test_a_head_over_16_kb_is_431_however_it_comes(head: bytes, size: int) -> None:
    socket = HttpSocket()
    socket.feed(*[head[start : start + size] for start in range(0, len(head), size)])
    assert error_of(socket)[0] == 431
    assert socket.asked == []


@pytest.mark.parametrize("line", [b"X: " + b"a" * 1_000_000, b"b" * 1_000_000], ids=["value", "name"])
@pytest.mark.parametrize("size", [100, 3000, 8000])
def test_an_endless_line_is_431_soon_after_16_kb(line: bytes, size: int) -> None:
    socket = HttpSocket()
    head = b"GET / HTTP/1.1\r\n" + HOST + line
    taken = 0
    while not socket.is_finished:
        socket.feed(head[taken : taken + size])
        taken += size
    assert taken <= 16 * 1024 + 2 * size + 100
    assert error_of(socket)[0] == 431


def test_blanks_before_a_url_are_bounded_too() -> None:
    socket = HttpSocket()
    for _ in range(20):
        socket.feed(b"GET" + b" " * 1000 if not socket.protocol.deadline else b" " * 1000)
    assert socket.is_finished


@pytest.mark.parametrize("size", [1, 7, 100, 1000, 5000, 20_000])
def test_a_head_just_under_16_kb_passes_however_cut(size: int) -> None:
    socket = HttpSocket()
    request = get("/", *[b"X-%d: %b" % (number, b"a" * 140) for number in range(105)])
    assert 15_500 < len(request) < 16_000
    socket.feed(*[request[start : start + size] for start in range(0, len(request), size)])
    assert socket.statuses() == [200]


def test_a_long_body_does_not_count_towards_the_next_head() -> None:
    socket = HttpSocket(max_body_bytes=100_000)
    body = b"line\n" * 8000
    first, second = post("/a", body), get("/b")
    socket.feed(first[:60], first[60:] + second[:20], second[20:])
    assert socket.statuses() == [200, 200]


# Refusals


def test_what_is_not_http_is_400_with_its_reason() -> None:
    socket = HttpSocket()
    socket.feed(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    status, text = error_of(socket)
    assert (status, text) == (400, "Invalid HTTP request: Invalid method encountered")


@pytest.mark.parametrize("version", [b"1.1", b"2.0"])
@pytest.mark.parametrize("hosts", [[], [b"Host: x", b"Host: x"]], ids=["none", "two"])
def test_there_must_be_exactly_one_host(hosts: list[bytes], version: bytes) -> None:
    socket = HttpSocket()
    socket.feed(b"GET / HTTP/%b\r\n" % version + b"".join(host + b"\r\n" for host in hosts) + b"\r\n")
    assert error_of(socket)[0] == 400
    assert socket.asked == []


def test_two_hosts_are_refused_in_http_1_0_too() -> None:
    socket = HttpSocket()
    socket.feed(b"GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n")
    assert error_of(socket)[0] == 400


def test_a_refusal_follows_the_answers_of_earlier_requests() -> None:
    socket = HttpSocket()
    socket.feed(get("/a") + get("/b") + b"garbage\r\n\r\n" + get("/c"))
    assert socket.statuses() == [200, 200, 400]
    assert len(socket.asked) == 2
    assert socket.is_finished


def test_a_refusal_waits_for_answers_a_slow_reader_left() -> None:
    socket = HttpSocket()
    socket.transport.stall()
    requests = 0
    while not socket.protocol._is_paused:
        socket.feed(get("/" + "a" * 1000) * 16)
        requests += 16
    # What was on its way when reading was paused.
    socket.protocol.data_received(get("/late") * 3 + b"garbage\r\n\r\n" + get("/never"))
    socket.protocol.data_received(get("/never"))
    socket.transport.take()
    assert socket.statuses() == [200] * (requests + 3) + [400]
    assert socket.asked[-1] == "GET /late? [host] "
    assert socket.is_finished


# 100-continue


def test_continue_is_sent_once_the_head_is_accepted() -> None:
    socket = HttpSocket()
    request = post("/", b"body", b"Expect: 100-continue")
    socket.feed(request[:-4])
    assert socket.statuses() == [100]
    socket.feed(request[-4:])
    assert socket.statuses() == [200]


@pytest.mark.parametrize(
    "head",
    [
        b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nHost: x\r\nContent-Length: 9999\r\n\r\n",
        b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    ],
    ids=["too large", "no host"],
)
def test_nobody_is_told_to_continue_with_what_is_refused(head: bytes) -> None:
    socket = HttpSocket()
    socket.feed(head)
    assert error_of(socket)[0] in (400, 413)


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n\tb\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /a?b=\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    ],
    ids=["folded", "folded with a tab", "byte in the path", "byte in the query", "blank before the colon"],
)
def test_what_proxies_read_in_different_ways_is_refused(head: bytes) -> None:
    socket = HttpSocket()
    socket.feed(head)
    assert error_of(socket)[0] == 400
    assert socket.service.requests == []


# Time


def test_a_socket_that_says_nothing_is_closed_after_10_s() -> None:
    socket = HttpSocket()
    socket.clock.advance(10)
    assert not socket.is_finished
    socket.clock.advance(2)
    assert socket.transport.is_lost
    assert socket.transport.read() == b""


@pytest.mark.parametrize("start", [b"G", b"GET ", b"GET /", b"GET / HTTP/1.1\r\n", get("/")[:-2]])
@pytest.mark.parametrize("idle", [0, 40])
def test_a_head_incomplete_after_10_s_is_408(start: bytes, idle: int) -> None:
    socket = HttpSocket()
    if idle:
        socket.feed(get("/before"))
        assert socket.statuses() == [200]
        socket.clock.advance(idle)
    socket.feed(start)
    socket.clock.advance(10)
    assert not socket.is_finished
    socket.clock.advance(2)
    status, text = error_of(socket)
    assert (status, text) == (408, "The head of a request must be complete in 10 s")


@pytest.mark.parametrize(
    "drip",
    [get("/", b"X: " + b"a" * 200), b"GET" + b" " * 300, b"GET / HTTP/1.1\r\n" + b"a" * 300],
    ids=["header", "blanks", "name"],
)
def test_a_head_that_drips_in_gains_no_time(drip: bytes) -> None:
    socket = HttpSocket()
    for byte in drip:
        if socket.is_finished:
            break
        socket.feed(bytes([byte]))
        socket.clock.advance(1)
    assert error_of(socket)[0] == 408
    assert socket.clock.monotonic() - 1000 <= 13


def test_empty_lines_keep_no_socket_open() -> None:
    for first in (b"", get("/")):
        socket = HttpSocket()
        socket.feed(first)
        for _ in range(100):
            socket.clock.advance(1)
            if socket.is_finished:
                break
            socket.feed(b"\r\n")
        assert socket.is_finished
        assert socket.clock.monotonic() - 1000 <= (78 if first else 13)


def test_a_body_incomplete_after_30_s_is_408() -> None:
    socket = HttpSocket()
    request = post("/", b"x" * 100)
    socket.feed(request[:-50])
    for _ in range(30):
        socket.clock.advance(1)
        socket.feed(b"x")
    assert not socket.is_finished
    socket.clock.advance(2)
    status, text = error_of(socket)
    assert (status, text) == (408, "The body of a request must be complete in 30 s")
    assert socket.asked == []


def test_head_and_body_have_their_time_each() -> None:
    socket = HttpSocket()
    request = post("/", b"body")
    socket.feed(request[:5])
    socket.clock.advance(9)
    socket.feed(request[5:-4])
    socket.clock.advance(29)
    socket.feed(b"body")
    assert socket.statuses() == [200]


def test_the_time_of_a_body_begins_anew_with_each_request() -> None:
    socket = HttpSocket()
    first, second = post("/", b"first"), post("/", b"second")
    socket.feed(first[:-1])
    socket.clock.advance(29)
    socket.feed(first[-1:] + second[:-1])
    socket.clock.advance(29)
    socket.feed(second[-1:])
    assert socket.statuses() == [200, 200]


def test_an_idle_socket_is_closed_after_75_silent_seconds() -> None:
    socket = HttpSocket()
    socket.feed(get("/"))
    socket.clock.advance(74)
    socket.feed(get("/"))
    assert socket.statuses() == [200, 200]
    socket.clock.advance(75)
    assert not socket.is_finished
    socket.clock.advance(2)
    assert socket.transport.is_lost
    assert socket.transport.read() == b""
    assert socket.service.connections == set()


def test_a_peer_that_never_takes_its_last_answer_is_dropped() -> None:
    socket = HttpSocket()
    socket.transport.stall()
    socket.feed(get("/", b"Connection: close"))
    assert socket.transport.is_closing()
    socket.clock.advance(12)
    assert socket.transport.was_aborted


# Back-pressure


def test_requests_of_a_peer_that_does_not_read_wait() -> None:
    socket = HttpSocket()
    socket.transport.stall()
    count = 0
    while socket.transport.is_reading():
        socket.feed(get(f"/{count}"))
        count += 1
    # One segment more may be on its way; nothing of it is carried out before the peer reads.
    socket.protocol.data_received(get(f"/{count}") + get(f"/{count + 1}"))
    assert len(socket.asked) == count
    assert len(socket.transport.unsent) < 2 * 64 * 1024
    socket.transport.take()
    assert [answer.body for answer in socket.answers()] == [f"GET /{n}? [host] ".encode() for n in range(count + 2)]
    assert socket.transport.is_reading()


def test_waiting_requests_stop_again_when_the_peer_stops_again() -> None:
    socket = HttpSocket()
    socket.transport.stall()
    socket.feed(get("/" + "a" * 500) * 600)
    before = len(socket.asked)
    assert before < 600
    socket.transport.take()
    assert len(socket.asked) == 600
    assert socket.statuses() == [200] * 600


def test_a_socket_whose_peer_never_reads_is_dropped_once_idle() -> None:
    socket = HttpSocket()
    socket.transport.stall()
    socket.feed(get("/" + "a" * 500) * 600)
    socket.clock.advance(75 + 2 + 12)
    assert socket.transport.was_aborted
    assert socket.service.connections == set()


def test_half_a_request_behind_others_gets_no_early_answer() -> None:
    socket = HttpSocket()
    socket.transport.stall()
    socket.feed(get("/" + "a" * 500) * 600 + b"GET /half")
    carried_out = len(socket.asked)
    socket.clock.advance(12)
    assert socket.transport.is_closing()
    socket.transport.take()
    assert socket.statuses() == [200] * carried_out


# Upgrades

UPGRADE = get("/app/key", b"Connection: Upgrade", b"Upgrade: websocket")
H2C = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")


class Successor(asyncio.Protocol):
    """Takes a socket over."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.received = b""
        transport.set_protocol(self)
        transport.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")

    def data_received(self, data: bytes) -> None:
        self.received += data


def upgradable(socket: HttpSocket | None = None) -> tuple[HttpSocket, list[Successor]]:
    """Return a socket whose upgrades are taken, and those who took them."""
    socket, taken = socket or HttpSocket(), list[Successor]()

    def take(transport: asyncio.Transport) -> Successor:
        taken.append(Successor(transport))
        return taken[-1]

    socket.service.successor = take
    return socket, taken


def test_an_upgrade_hands_over_what_came_with_it() -> None:
    socket, taken = upgradable()
    socket.feed(UPGRADE + b"first bytes", b", and more")
    assert [successor.received for successor in taken] == [b"first bytes, and more"]
    assert socket.statuses() == [101]
    assert socket.service.connections == set()
    socket.clock.advance(1000)
    assert not socket.transport.is_closing()


def test_an_upgrade_after_other_requests_comes_after_their_answers() -> None:
    socket, taken = upgradable()
    socket.feed(get("/a") + get("/b") + UPGRADE + b"first bytes")
    assert socket.statuses() == [200, 200, 101]
    assert taken[0].received == b"first bytes"


@pytest.mark.parametrize("cut", range(len(UPGRADE)))
def test_an_upgrade_may_arrive_in_two_parts(cut: int) -> None:
    socket, taken = upgradable()
    socket.feed(UPGRADE[:cut], UPGRADE[cut:] + b"first")
    assert taken[0].received == b"first"


def test_an_upgrade_behind_a_slow_reader_waits_for_earlier_answers() -> None:
    socket, taken = upgradable()
    socket.transport.stall()
    socket.feed(get("/" + "a" * 500) * 600 + UPGRADE + get("/smuggled"))
    assert taken == []
    socket.transport.take()
    assert socket.statuses() == [200] * 600 + [101]
    assert [successor.received for successor in taken] == [get("/smuggled")]
    assert socket.transport.is_reading()
    assert len(socket.asked) == 600


def test_an_upgrade_behind_a_full_buffer_waits_for_the_socket() -> None:
    socket, taken = upgradable()
    socket.transport.set_write_buffer_limits(high=100)
    socket.transport.stall()
    socket.feed(get("/a") + UPGRADE)
    assert taken == []
    socket.transport.take()
    assert socket.statuses() == [200, 200]


@pytest.mark.parametrize("smuggled", [b"body", get("/smuggled"), UPGRADE], ids=["text", "request", "upgrade"])
@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("offer", [H2C, (b"Connection: Upgrade", b"Upgrade: websocket")], ids=["h2c", "websocket"])
def test_a_request_that_asks_for_an_upgrade_keeps_its_body(
    offer: tuple[bytes, ...], smuggled: bytes, is_chunked: bool
) -> None:
    # Some HTTP clients ask for HTTP/2 this way with whatever they send first.
    socket = HttpSocket()
    request = post("/a", smuggled, *offer)
    if is_chunked:
        lines = b"".join(line + b"\r\n" for line in offer)
        request = chunked("/a", smuggled).replace(b"\r\n", b"\r\n" + lines, 1)
    socket.feed(request + get("/b"), get("/c"))
    assert [line.partition(" [")[0] for line in socket.asked] == ["POST /a?", "GET /b?", "GET /c?"]
    assert socket.service.requests[0].body == smuggled
    assert socket.statuses() == [200] * 3
    assert not socket.is_finished


def test_a_late_body_behind_an_upgrade_continues_once() -> None:
    socket = HttpSocket()
    request = post("/a", b"body", *H2C, b"Expect: 100-continue")
    socket.feed(request[:-4])
    assert socket.statuses() == [100]
    socket.clock.advance(29)
    socket.feed(request[-4:], get("/b"))
    assert socket.statuses() == [200, 200]


def test_an_upgrade_that_is_not_taken_is_answered() -> None:
    socket = HttpSocket()
    socket.feed(get("/a", *H2C) + get("/b"), get("/c"))
    assert socket.statuses() == [200] * 3
    assert not socket.is_finished


def test_thousands_of_upgrades_in_one_segment_do_not_nest() -> None:
    socket = HttpSocket()
    socket.feed(get("/a", *H2C) * 5000)
    assert socket.statuses() == [200] * 5000


def test_nothing_behind_a_refused_upgrade_is_taken_for_a_request() -> None:
    socket = HttpSocket()
    socket.service.upgrade_status = 426
    socket.feed(UPGRADE + get("/smuggled"), get("/smuggled"))
    (answer,) = socket.answers()
    assert (answer.status, answer.headers["connection"]) == (426, "close")
    assert len(socket.asked) == 1
    assert socket.is_finished


def test_nothing_behind_connect_is_taken_for_a_request() -> None:
    socket = HttpSocket()
    socket.service.upgrade_status = 404
    socket.feed(b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nContent-Length: 50\r\n\r\n" + get("/smuggled"))
    assert socket.statuses() == [404]
    assert len(socket.asked) == 1
    assert socket.is_finished


# Leaving


def test_draining_closes_an_idle_socket_at_once() -> None:
    socket = HttpSocket()
    socket.feed(get("/"))
    socket.protocol.drain()
    assert socket.transport.is_closing()


@pytest.mark.parametrize("request_", [get("/a"), post("/a", b"body")])
def test_draining_answers_the_request_under_way_and_none_after_it(request_: bytes) -> None:
    for cut in range(1, len(request_)):
        socket = HttpSocket()
        socket.feed(request_[:cut])
        socket.service.is_draining = True
        socket.protocol.drain()
        assert not socket.is_finished
        socket.feed(request_[cut:] + get("/after") + UPGRADE)
        (answer,) = socket.answers()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert len(socket.asked) == 1
        assert socket.transport.is_closing()


def test_a_lost_socket_leaves_nothing_behind() -> None:
    for received in (b"", b"GET", get("/a"), get("/a")[:-1], post("/", b"body")[:-1], b"garbage"):
        socket = HttpSocket()
        socket.feed(received)
        socket.transport.reset()
        socket.clock.run_soon()
        assert socket.service.connections == set()
        assert len(socket.service.timeouts._deadlines) == 0


# Answers that a store must be asked for


async def test_an_awaited_answer_comes_later_and_the_socket_goes_on() -> None:
    socket = HttpSocket()
    socket.feed(get("/asks"))
    assert socket.answers() == []
    assert not socket.transport.is_reading()
    await socket.service.questions.answer(None)
    assert [answer.body for answer in socket.answers()] == [b"GET /asks? [host] "]
    assert socket.transport.is_reading()
    socket.feed(get("/next"))
    assert socket.statuses() == [200]


async def test_requests_behind_one_that_waits_are_answered_in_order() -> None:
    socket = HttpSocket()
    socket.feed(get("/first") + get("/asks/1") + get("/between") + get("/asks/2") + get("/last"))
    assert [answer.body for answer in socket.answers()] == [b"GET /first? [host] "]
    assert socket.service.questions.open == ["/asks/1"]
    await socket.service.questions.answer(None)
    assert [answer.body for answer in socket.answers()] == [b"GET /asks/1? [host] ", b"GET /between? [host] "]
    await socket.service.questions.answer(None)
    assert [answer.body for answer in socket.answers()] == [b"GET /asks/2? [host] ", b"GET /last? [host] "]


async def test_the_last_answer_of_a_socket_may_be_waited_for() -> None:
    socket = HttpSocket()
    socket.feed(get("/asks", b"Connection: close") + get("/never"))
    await socket.service.questions.answer(None)
    assert socket.statuses() == [200]
    assert socket.is_finished
    assert socket.asked == ["GET /asks? [host,connection] "]


async def test_a_refusal_waits_for_the_answers_before_it() -> None:
    socket = HttpSocket()
    socket.feed(get("/asks") + b"nonsense\r\n\r\n")
    assert socket.answers() == []
    await socket.service.questions.answer(None)
    assert socket.statuses() == [200, 400]
    assert socket.is_finished


async def test_a_socket_that_is_gone_meanwhile_is_not_answered() -> None:
    socket = HttpSocket()
    socket.feed(get("/asks") + get("/behind"))
    socket.transport.abort()
    await socket.service.questions.answer(None)
    assert socket.asked == ["GET /asks? [host] "]


async def test_a_socket_that_waits_is_neither_idle_nor_drained() -> None:
    socket = HttpSocket()
    socket.feed(get("/asks"))
    socket.service.is_draining = True
    socket.protocol.drain()
    socket.clock.advance(200)
    assert not socket.is_finished
    await socket.service.questions.answer(None)
    assert [answer.headers["connection"] for answer in socket.answers()] == ["close"]
    assert socket.is_finished


async def test_an_upgrade_behind_a_waiting_answer_is_an_ordinary_request() -> None:
    socket = HttpSocket()
    socket.feed(get("/asks") + get("/app/key", b"Connection: Upgrade", b"Upgrade: websocket"))
    await socket.service.questions.answer(None)
    assert socket.statuses() == [200, 200]
    assert socket.is_finished


# Targets


def test_an_absolute_target_is_answered_as_its_path() -> None:
    socket = HttpSocket()
    socket.feed(get("http://elsewhere/a?b=c") + get("https://elsewhere"))
    assert socket.asked == ["GET /a?b=c [host] ", "GET /? [host] "]


def test_an_absolute_target_without_a_host_is_400() -> None:
    socket = HttpSocket()
    socket.feed(get("http:///a"))
    status, text = error_of(socket)
    assert (status, text) == (400, "Invalid HTTP request: the target must name a host, and no login")


# What surrounds chunks


@pytest.mark.parametrize(
    "start", [b"0\r\nA: ", b"0\r\n", b"1;", b"1\r\nx\r\n1;", b"5", b"1\r\nx\r\n0;a="], ids=lambda start: repr(start)
)
@pytest.mark.parametrize("size", [1, 100, 5000])
def test_an_endless_line_around_chunks_is_431_after_16_kb(start: bytes, size: int) -> None:
    socket = HttpSocket(max_body_bytes=100_000_000_000)
    socket.feed(b"POST /c HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + start)
    filler = b"0" if start == b"5" else b"a"
    if start == b"5":
        socket = HttpSocket()
        socket.feed(b"POST /c HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n")
    taken = 0
    while not socket.is_finished:
        socket.feed(filler * size)
        taken += size
    assert taken <= 16 * 1024 + 2 * size + 5000
    status, text = error_of(socket)
    assert (status, "16384 bytes" in text) == (431, True)
    assert socket.asked == []


@pytest.mark.parametrize("size", [1, 7, 100])
def test_chunks_of_few_bytes_are_a_body_like_others(size: int) -> None:
    socket = HttpSocket(max_body_bytes=100_000)
    request = chunked("/c", *[b"x" * size] * 10_000) if size < 8 else chunked("/c", *[b"x" * size] * 900)
    socket.feed(request, get("/next"))
    assert socket.statuses() == [200, 200]


# Sharing a turn


def test_a_peer_that_sends_much_is_read_in_its_turn() -> None:
    socket = HttpSocket(clock=TickingClock(0.001))
    socket.feed(b"".join(get(f"/{number}") for number in range(2000)))
    assert not socket.transport.is_reading()
    answered = len(socket.asked)
    turns = 0
    while not socket.transport.is_reading():
        socket.clock.run_soon()
        assert len(socket.asked) - answered <= 400
        answered = len(socket.asked)
        turns += 1
    assert turns > 5
    assert [answer.body for answer in socket.answers()] == [f"GET /{n}? [host] ".encode() for n in range(2000)]


def test_a_lost_socket_carries_nothing_out_in_its_turn() -> None:
    socket = HttpSocket(clock=TickingClock(0.001))
    socket.feed(get("/a") * 2000)
    answered = len(socket.asked)
    socket.transport.reset()
    socket.clock.run_soon()
    socket.clock.run_soon()
    socket.clock.advance(1)
    assert len(socket.asked) <= answered + 400
    assert socket.service.connections == set()
    assert len(socket.service.timeouts._deadlines) == 0


def test_a_waiting_upgrade_hands_over_bytes_that_came_with_it() -> None:
    socket, taken = upgradable(HttpSocket(clock=TickingClock(0.001)))
    socket.feed(get("/a") * 2000 + UPGRADE + b"first bytes" * 2000)
    assert taken == []
    socket.clock.advance(1)
    assert [successor.received for successor in taken] == [b"first bytes" * 2000]
    assert socket.transport.is_reading()


def test_draining_answers_one_of_the_waiting_requests() -> None:
    socket = HttpSocket(clock=TickingClock(0.001))
    socket.feed(get("/a") * 2000)
    answered = len(socket.asked)
    socket.service.is_draining = True
    socket.protocol.drain()
    assert not socket.is_finished
    socket.clock.advance(1)
    assert len(socket.asked) == answered + 1
    assert socket.answers()[-1].headers["connection"] == "close"
