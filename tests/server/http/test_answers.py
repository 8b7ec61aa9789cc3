from __future__ import annotations

from dataclasses import replace

from sockudo.api.messages import EMPTY_OBJECT, TEXT, Published, Response, error_response
from sockudo.ratelimit.base import Decision
from sockudo.server.http.answers import CONTINUE, Answers

NOW = 1_700_000_000.0
COMMON = (("Vary", "origin"), ("Access-Control-Allow-Origin", "*"))


def test_an_answer_has_its_length_date_and_common_headers() -> None:
    answers = Answers(COMMON, NOW)
    assert answers.encode(Response(200, b"hello", content_type=TEXT, headers=(("X-A", "b"),)), keep_alive=True) == (
        b"HTTP/1.1 200 OK\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Length: 5\r\n"
        b"Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
        b"Vary: origin\r\n"
        b"Access-Control-Allow-Origin: *\r\n"
        b"X-A: b\r\n"
        b"\r\nhello"
    )


def test_the_last_answer_of_a_socket_says_so() -> None:
    raw = Answers(COMMON, NOW).encode(error_response(400, "no"), keep_alive=False)
    assert raw.endswith(b'\r\nConnection: close\r\n\r\n{"error":"no","code":400}')


def test_an_answer_to_head_tells_the_length_of_its_body() -> None:
    for response in (Response(200, b"hello"), EMPTY_OBJECT):
        answers = Answers(COMMON, NOW)
        whole = answers.encode(response, keep_alive=True)
        assert answers.encode(response, keep_alive=True, head_only=True) + response.body == whole


def test_an_answer_without_a_body_has_no_content_type() -> None:
    raw = Answers((), NOW).encode(Response(202), keep_alive=True)
    assert raw == b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n\r\n"


def test_the_answer_to_a_publish_has_the_current_date() -> None:
    answers = Answers(COMMON, NOW)
    same = Response(EMPTY_OBJECT.status, EMPTY_OBJECT.body)
    for second in range(3):
        answers.renew(NOW + second)
        for keep_alive in (True, False):
            assert answers.encode(EMPTY_OBJECT, keep_alive=keep_alive) == answers.encode(same, keep_alive=keep_alive)
        assert f"22:13:{20 + second} GMT".encode() in answers.encode(EMPTY_OBJECT, keep_alive=True)


def test_continue_is_an_interim_answer() -> None:
    assert CONTINUE == b"HTTP/1.1 100 Continue\r\n\r\n"


def test_the_answer_to_a_counted_publish_tells_the_limit() -> None:
    answers = Answers(COMMON, NOW)
    decision = Decision(allowed=True, limit=100, remaining=99, reset_after=60)
    for counted in (
        Published(decision),
        Published(decision).with_headers(("A", "b")),
        EMPTY_OBJECT.with_decision(decision),
    ):
        raw = answers.encode(counted, keep_alive=True)
        assert raw.endswith(
            b"\r\nX-RateLimit-Limit: 100\r\nX-RateLimit-Remaining: 99\r\nX-RateLimit-Reset: 60\r\n\r\n{}"
        )
        assert raw.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") == answers.encode(counted, keep_alive=False)
    uncounted = Published(replace(decision, is_counted=False))
    assert answers.encode(uncounted, keep_alive=True) == answers.encode(EMPTY_OBJECT, keep_alive=True)
