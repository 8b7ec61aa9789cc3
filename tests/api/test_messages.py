from __future__ import annotations

import json

import pytest

from sockudo.api.messages import (
    EMPTY_OBJECT,
    Request,
    Response,
    error_response,
    json_response,
    rejection_response,
)
from sockudo.pusher.errors import RequestRejected


def test_request_headers_are_found_by_their_lower_case_name() -> None:
    request = Request("GET", "/", headers=[(b"Origin", b"https://a.io"), (b"X-Odd", b"\xe9")])
    assert request.header(b"origin") == "https://a.io"
    assert request.header(b"x-odd") == "é"
    assert request.header(b"host") is None


def test_the_first_of_repeated_headers_counts_and_all_are_kept() -> None:
    request = Request("GET", "/", headers=[(b"X-Forwarded-For", b"1.1.1.1, 2.2.2.2"), (b"x-forwarded-for", b"3.3.3.3")])
    assert request.header(b"x-forwarded-for") == "1.1.1.1, 2.2.2.2"
    assert request.header_list(b"x-forwarded-for") == "1.1.1.1, 2.2.2.2,3.3.3.3"
    assert request.header_list(b"x-real-ip") is None


def test_an_answer_with_more_headers_is_another_answer() -> None:
    first = Response(200, b"x", content_type="text/plain", headers=(("A", "1"),))
    second = first.with_headers(("B", "2"), ("C", "3"))
    assert first.headers == (("A", "1"),)
    assert second.headers == (("A", "1"), ("B", "2"), ("C", "3"))
    assert (second.status, second.body, second.content_type) == (200, b"x", "text/plain")


def test_values_are_answered_as_json() -> None:
    response = json_response({"a": ["é"]}, 201)
    assert (response.status, response.body.decode(), response.content_type) == (201, '{"a":["é"]}', "application/json")
    assert (EMPTY_OBJECT.status, EMPTY_OBJECT.body) == (200, b"{}")


def test_an_error_is_an_object_with_text_and_code() -> None:
    response = error_response(405, "text", ("Allow", "GET"))
    assert json.loads(response.body) == {"error": "text", "code": 405}
    assert (response.status, response.headers) == (405, (("Allow", "GET"),))


def test_an_error_without_text_has_that_of_its_status() -> None:
    assert json.loads(error_response(404, "").body)["error"] == "Not Found"


@pytest.mark.parametrize(("retry_after", "headers"), [(None, ()), (2, (("Retry-After", "2"),))])
def test_a_refusal_is_an_error_with_an_optional_retry_time(
    retry_after: int | None, headers: tuple[tuple[str, str], ...]
) -> None:
    response = rejection_response(RequestRejected(429, "text", retry_after))
    assert json.loads(response.body) == {"error": "text", "code": 429}
    assert response.headers == headers
