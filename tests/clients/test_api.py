from __future__ import annotations

import pytest

from sockudo.api.messages import Response, error_response
from tests.clients.api import Api, error_of, header, json_of


def test_a_signed_request_is_taken_and_an_unsigned_one_refused() -> None:
    api = Api()
    assert json_of(api.get("/channels")) == {"channels": {}}
    assert error_of(api.raw("GET", "/apps/1/channels"))[0] == 401


def test_an_answer_of_the_wrong_kind_fails_the_test() -> None:
    with pytest.raises(AssertionError):
        json_of(error_response(400, "text"))
    with pytest.raises(AssertionError):
        error_of(Response(400, b"{}"))


def test_headers_are_found_whatever_their_case() -> None:
    response = error_response(429, "text", ("Retry-After", "1"))
    assert header(response, "retry-after") == "1"
    assert header(response, "allow") is None
