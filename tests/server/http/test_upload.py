"""Bodies that are not small: taken only when the head of their request is accepted, and within one budget."""

from __future__ import annotations

import hashlib
import json

import pytest

from sockudo.api.messages import Accepted, RequestHead, Response
from sockudo.server.http.body_budget import BodyBudget
from sockudo.server.http.upload import Upload
from tests.fakes.http_socket import HttpSocket

MEGABYTE = 1024 * 1024
LARGE = 100_000
GET = b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"


def head(path: bytes, length: int, extra: bytes = b"") -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: x\r\n%bContent-Length: %d\r\n\r\n" % (path, extra, length)


def chunked(path: bytes) -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" % path


def chunk(size: int) -> bytes:
    return b"%x\r\n%b\r\n" % (size, b"x" * size)


def large_socket(budget: int = 100 * MEGABYTE) -> HttpSocket:
    socket = HttpSocket(max_body_bytes=MEGABYTE)
    socket.service.bodies = BodyBudget(budget)
    return socket


# Refused by the head


@pytest.mark.parametrize("body", [b"", b"x" * 10, b"x" * LARGE + GET], ids=["none of it", "a part", "all of it"])
def test_a_head_is_refused_before_its_body_is_read(body: bytes) -> None:
    socket = large_socket()
    socket.feed(head(b"/refused", LARGE) + body)
    (answer,) = socket.answers()
    assert (answer.status, answer.headers["connection"]) == (403, "close")
    assert socket.asked == []
    assert socket.is_finished


def test_a_refused_body_leaves_no_byte_in_memory() -> None:
    socket = large_socket()
    socket.feed(head(b"/refused", LARGE) + b"x" * 50_000, b"x" * 20_000)
    assert socket.service.bodies.taken == 0
    assert not socket.protocol._body
    assert not socket.protocol._kept


def test_a_chunked_body_is_refused_when_no_longer_small() -> None:
    socket = large_socket()
    socket.feed(chunked(b"/refused") + chunk(16 * 1024))
    assert socket.answers() == []
    socket.feed(chunk(1))
    assert socket.statuses() == [403]
    assert not socket.protocol._body


def test_a_small_body_takes_no_budget_and_the_socket_stays() -> None:
    socket = large_socket()
    socket.feed(head(b"/small", 16 * 1024), b"x" * 16 * 1024 + GET)
    assert socket.statuses() == [200, 200]
    assert socket.service.bodies.taken == 0


def test_a_refusal_of_a_head_comes_behind_earlier_answers() -> None:
    socket = large_socket()
    socket.feed(GET * 3 + head(b"/refused", LARGE) + GET)
    assert socket.statuses() == [200, 200, 200, 403]
    assert len(socket.asked) == 3


def test_a_refused_head_request_has_no_body_in_its_answer() -> None:
    socket = large_socket()
    socket.feed(head(b"/refused", LARGE).replace(b"POST", b"HEAD"))
    assert socket.transport.read().endswith(b"\r\n\r\n")


# Accepted


@pytest.mark.parametrize("size", [1000, 4096, 30_000, 1_000_000])
def test_an_accepted_body_arrives_whole_and_the_socket_stays(size: int) -> None:
    socket = large_socket()
    stream = head(b"/a", LARGE) + b"y" * LARGE + GET
    socket.feed(*[stream[start : start + size] for start in range(0, len(stream), size)])
    assert socket.statuses() == [200, 200]
    assert socket.service.requests[0].body == b"y" * LARGE
    assert socket.service.requests[0].body_md5() == hashlib.md5(b"y" * LARGE).hexdigest()
    assert socket.service.bodies.taken == 0


def test_an_accepted_chunked_body_arrives_whole() -> None:
    socket = large_socket()
    body = [chunk(10_000) for _ in range(10)]
    socket.feed(chunked(b"/a"), *body, b"0\r\n\r\n" + GET)
    assert socket.statuses() == [200, 200]
    assert socket.service.requests[0].body == b"x" * LARGE
    assert socket.service.requests[0].body_md5() == hashlib.md5(b"x" * LARGE).hexdigest()


def test_continue_is_not_sent_for_a_refused_head() -> None:
    socket = large_socket()
    socket.feed(head(b"/refused", 5, b"Expect: 100-continue\r\n"))
    assert socket.statuses() == [403]
    assert socket.is_finished


async def test_a_head_that_awaits_a_store_holds_the_socket() -> None:
    socket = large_socket()
    socket.feed(head(b"/asked", LARGE, b"Expect: 100-continue\r\n") + b"x" * 1000)
    assert socket.answers() == []
    assert not socket.transport.is_reading()
    assert socket.service.bodies.taken == 0
    await socket.service.questions.answer(None)
    assert socket.statuses() == [100]
    assert socket.service.bodies.taken == LARGE
    socket.feed(b"x" * (LARGE - 1000) + GET)
    assert socket.statuses() == [200, 200]
    assert socket.service.bodies.taken == 0


async def test_a_head_waits_for_the_answers_before_it() -> None:
    socket = large_socket()
    asks = b"GET /asks HTTP/1.1\r\nHost: x\r\n\r\n"
    socket.feed(asks + head(b"/refused", LARGE) + b"x" * 100)
    assert socket.answers() == []
    await socket.service.questions.answer(None)
    assert socket.statuses() == [200, 403]


async def test_requests_behind_an_accepted_body_are_answered_in_order() -> None:
    socket = large_socket()
    body = chunk(4000) * 5
    socket.feed(chunked(b"/asked") + body + b"0\r\n\r\n" + GET * 2)
    assert socket.answers() == []
    await socket.service.questions.answer(None)
    assert [answer.body.split()[1] for answer in socket.answers()] == [b"/asked?", b"/next?", b"/next?"]


# The budget


def test_a_body_for_which_there_is_no_memory_is_503() -> None:
    socket = large_socket(2 * MEGABYTE)
    assert socket.service.bodies.take(2 * MEGABYTE - LARGE + 1)
    socket.feed(head(b"/a", LARGE))
    (answer,) = socket.answers()
    assert (answer.status, answer.headers["retry-after"], answer.headers["connection"]) == (503, "1", "close")
    error = json.loads(answer.body)["error"]
    assert "2 MB" in error
    assert "http_api.max_bodies_in_flight_mb" in error
    assert socket.service.bodies.taken == 2 * MEGABYTE - LARGE + 1


def test_a_chunked_body_draws_on_the_budget_as_it_grows() -> None:
    socket = large_socket(MEGABYTE)
    assert socket.service.bodies.take(MEGABYTE - 60_000)
    socket.feed(chunked(b"/a") + chunk(50_000))
    assert socket.service.bodies.taken == MEGABYTE - 10_000
    socket.feed(chunk(20_000))
    assert socket.statuses() == [503]
    assert socket.service.bodies.taken == MEGABYTE - 60_000


@pytest.mark.parametrize("end", ["reset", "time", "malformed"])
def test_a_body_that_never_ends_gives_its_memory_back(end: str) -> None:
    socket = large_socket()
    socket.feed(chunked(b"/a") + chunk(LARGE))
    assert socket.service.bodies.taken >= LARGE
    if end == "reset":
        socket.transport.reset()
    elif end == "time":
        socket.clock.advance(32)
    else:
        socket.feed(b"nonsense\r\n")
    socket.clock.run_soon()
    assert socket.service.bodies.taken == 0


async def test_a_body_keeps_its_memory_until_it_is_answered() -> None:
    socket = large_socket()
    socket.feed(head(b"/asks", LARGE) + b"x" * LARGE)
    assert socket.service.bodies.taken == LARGE
    socket.transport.reset()
    socket.clock.run_soon()
    await socket.service.questions.answer(None)
    assert socket.service.bodies.taken == 0


def test_an_answer_that_fails_gives_the_memory_back() -> None:
    def fail() -> Response:
        raise ValueError("a mistake")

    budget = BodyBudget(100)
    upload = Upload(RequestHead("POST", "/"), budget, 50, expects=False)
    assert upload.accept(Accepted(fail))
    assert budget.taken == 50
    with pytest.raises(ValueError, match="a mistake"):
        upload.finish()
    assert budget.taken == 0
