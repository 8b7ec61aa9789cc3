from __future__ import annotations

import re

import pytest

from sockudo.api.messages import Request
from sockudo.api.request_ids import request_ids

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_a_sane_request_id_is_taken_over() -> None:
    assert request_ids([(b"X-Request-ID", b"front-1.a:7")]) == {"request_id": "front-1.a:7"}


@pytest.mark.parametrize("value", [b"", b"a b", b"a\x1b[1m", b"x" * 121, "é".encode(), b"-x", b'{"a":1}'])
def test_another_request_id_is_replaced_by_a_new_one(value: bytes) -> None:
    ids = request_ids([(b"x-request-id", value)])
    assert re.fullmatch("[0-9a-f]{16}", ids["request_id"])


@pytest.mark.parametrize("value", [f"00-{TRACE}-{SPAN}-01", f"01-{TRACE}-{SPAN}-00-more"])
def test_a_traceparent_is_taken_over(value: str) -> None:
    ids = request_ids([(b"TraceParent", value.encode())])
    assert (ids["trace_id"], ids["span_id"]) == (TRACE, SPAN)


@pytest.mark.parametrize(
    "value",
    [
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}",
        "",
    ],
)
def test_an_invalid_traceparent_is_ignored(value: str) -> None:
    assert set(request_ids([(b"traceparent", value.encode())])) == {"request_id"}


def test_every_line_about_a_request_has_the_same_ids() -> None:
    request = Request("GET", "/")
    assert request.ids() == request.ids()
