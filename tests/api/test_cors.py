from __future__ import annotations

import pytest

from sockudo.api.cors import Cors
from sockudo.api.messages import Request

A, B = "https://a.io", "https://b.io"


def cors(*origins: str, credentials: bool = True) -> Cors:
    return Cors(origins, ["GET", "POST", "OPTIONS"], ["Authorization", "Content-Type"], credentials=credentials)


def of(rules: Cors, origin: str | None = None) -> dict[str, str]:
    """Return every header of an answer to a request from this origin."""
    headers = [] if origin is None else [(b"Origin", origin.encode())]
    pairs = (*rules.common, *rules.for_request(Request("GET", "/", headers=headers)))
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


@pytest.mark.parametrize("word", ["*", "any", "Any"])
@pytest.mark.parametrize("origin", [None, A])
def test_a_star_lets_everybody_read_without_credentials(word: str, origin: str | None) -> None:
    headers = of(cors(B, word), origin)
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in headers


def test_a_listed_origin_is_named_in_the_answer() -> None:
    headers = of(cors(A, B), B)
    assert headers["Access-Control-Allow-Origin"] == B
    assert headers["Access-Control-Allow-Credentials"] == "true"


def test_credentials_can_be_switched_off() -> None:
    headers = of(cors(A, credentials=False), A)
    assert headers["Access-Control-Allow-Origin"] == A
    assert "Access-Control-Allow-Credentials" not in headers


@pytest.mark.parametrize("origin", [None, "https://c.io", "https://a.io.evil", "HTTPS://A.IO", "https://a.io/", "é"])
def test_any_other_origin_is_not_named(origin: str | None) -> None:
    assert "Access-Control-Allow-Origin" not in of(cors(A), origin)


def test_without_origins_nobody_may_read() -> None:
    headers = of(cors(), A)
    assert not {"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"} & set(headers)


@pytest.mark.parametrize("rules", [cors("*"), cors(A), cors()])
def test_every_answer_varies_by_origin_and_exposes_the_limits(rules: Cors) -> None:
    common = dict(rules.common)
    assert common["Vary"] == "origin, access-control-request-method, access-control-request-headers"
    exposed = common["Access-Control-Expose-Headers"]
    assert exposed == "Retry-After,X-RateLimit-Limit,X-RateLimit-Remaining,X-RateLimit-Reset"


def test_a_preflight_is_answered_with_what_may_be_sent() -> None:
    response = cors(A).preflight()
    assert (response.status, response.body) == (200, b"")
    assert dict(response.headers) == {
        "Access-Control-Allow-Methods": "GET,POST,OPTIONS",
        "Access-Control-Allow-Headers": "authorization,content-type",
    }
