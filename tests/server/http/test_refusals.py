from __future__ import annotations

import json

from sockudo.server.http import refusals


def test_every_refusal_has_its_status_and_names_the_limit() -> None:
    told = {
        400: refusals.malformed("no reason"),
        408: refusals.too_slow("head", 10),
        413: refusals.body_too_large(1000),
        431: refusals.head_too_large(16_384),
    }
    texts = {}
    for status, response in told.items():
        body = json.loads(response.body)
        assert (response.status, body["code"]) == (status, status)
        texts[status] = body["error"]
    assert texts == {
        400: "Invalid HTTP request: no reason",
        408: "The head of a request must be complete in 10 s",
        413: "Payload too large. The limit is 1000 bytes for a request body (http_api.request_limit_in_mb)",
        431: "The head of a request is limited to 16384 bytes",
    }
