"""CORS: which web pages may read answers of the HTTP API."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.client import ApiClient, http
from tests.servers.nodes import Serve
from tests.servers.server import APP_ID

SITE = "https://site.example"
ASKED = {"Origin": SITE, "Access-Control-Request-Method": "POST"}


@pytest.mark.parametrize("path", [f"/apps/{APP_ID}/events", "/up", "/nowhere"])
async def test_a_preflight_is_answered_on_any_path_without_a_signature(serve: Serve, path: str) -> None:
    async with serve() as server:
        answer = await http(server.port, "OPTIONS", path, headers=ASKED)
        assert (answer.status, answer.body) == (200, b"")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["access-control-allow-methods"] == "GET,POST,OPTIONS"
        assert answer.headers["access-control-allow-headers"] == "authorization,content-type,x-requested-with,accept"


async def test_by_default_every_page_may_read_every_answer_without_credentials(serve: Serve) -> None:
    async with serve() as server:
        for path in ("/up", "/nowhere", f"/apps/{APP_ID}/channels"):
            for headers in ({}, {"Origin": SITE}):
                answer = await http(server.port, "GET", path, headers=headers)
                assert answer.headers["access-control-allow-origin"] == "*"
                assert "access-control-allow-credentials" not in answer.headers
                assert "origin" in answer.headers["vary"]


async def test_with_a_list_only_its_origins_are_allowed(serve: Serve) -> None:
    async with serve(cors={"origin": [SITE]}) as server:
        for path in ("/up", "/nowhere"):
            answer = await http(server.port, "GET", path, headers={"Origin": SITE})
            assert answer.headers["access-control-allow-origin"] == SITE
            assert answer.headers["access-control-allow-credentials"] == "true"
            for other in ("https://other.example", SITE.upper(), SITE + ":8443", "null"):
                answer = await http(server.port, "GET", path, headers={"Origin": other})
                assert "access-control-allow-origin" not in answer.headers


async def test_a_preflight_of_an_unlisted_origin_allows_nothing(serve: Serve) -> None:
    async with serve(cors={"origin": [SITE]}) as server:
        answer = await http(server.port, "OPTIONS", "/up", headers=ASKED | {"Origin": "https://other.example"})
        assert "access-control-allow-origin" not in answer.headers
        answer = await http(server.port, "OPTIONS", "/up", headers=ASKED)
        assert answer.headers["access-control-allow-origin"] == SITE


async def test_credentials_may_be_switched_off(serve: Serve) -> None:
    async with serve(cors={"origin": [SITE], "credentials": False}) as server:
        answer = await http(server.port, "GET", "/up", headers={"Origin": SITE})
        assert answer.headers["access-control-allow-origin"] == SITE
        assert "access-control-allow-credentials" not in answer.headers


async def test_an_empty_list_allows_no_page(serve: Serve) -> None:
    async with serve(cors={"origin": []}) as server:
        answer = await http(server.port, "GET", "/up", headers={"Origin": SITE})
        assert not [name for name in answer.headers if name.startswith("access-control-allow")]


async def test_methods_and_headers_may_be_configured(serve: Serve) -> None:
    cors = {"methods": ["GET", "HEAD"], "allowed_headers": ["X-One", "X-Two"]}
    async with serve(cors=cors) as server:
        answer = await http(server.port, "OPTIONS", "/up", headers=ASKED)
        assert answer.headers["access-control-allow-methods"] == "GET,HEAD"
        assert answer.headers["access-control-allow-headers"] == "x-one,x-two"


async def test_a_page_may_read_a_refusals_reason_and_duration(serve_alone: Serve) -> None:
    limiter: dict[str, Any] = {"enabled": True, "api_rate_limit": {"max_requests": 1}}
    async with serve_alone(rate_limiter=limiter) as server:
        for _ in range(2):
            answer = await ApiClient(server.port).get("/channels")
        answer.error(429)
        assert answer.headers["access-control-allow-origin"] == "*"
        exposed = answer.headers["access-control-expose-headers"].split(",")
        assert {"Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} <= set(exposed)
