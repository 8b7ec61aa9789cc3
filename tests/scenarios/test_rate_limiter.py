"""The rate limiter: requests and connections of one client address."""

from __future__ import annotations

from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.clients.client import Answer, ApiClient, PusherClient, http
from tests.clients.raw import RawWebSocket, upgrade_bytes
from tests.servers.nodes import Nodes, Serve
from tests.servers.server import APP_ID, KEY


def limiter(requests: int = 100, connections: int = 100, **api: Any) -> dict[str, Any]:
    return {
        "enabled": True,
        "api_rate_limit": {"max_requests": requests, "window_seconds": 60, **api},
        "websocket_rate_limit": {"max_requests": connections, "window_seconds": 60},
    }


async def test_it_is_off_by_default_and_then_says_nothing(serve_alone: Serve) -> None:
    async with serve_alone() as server:
        for _ in range(130):
            answer = await ApiClient(server.port).get("/channels")
            assert answer.status == 200
        assert not [name for name in answer.headers if name.startswith("x-ratelimit")]


async def test_exactly_the_allowed_requests_pass_and_answers_tell_the_rest(serve_alone: Serve) -> None:
    async with serve_alone(rate_limiter=limiter(5)) as server:
        answers = [await ApiClient(server.port).get("/channels") for _ in range(7)]
    assert [answer.status for answer in answers] == [200] * 5 + [429] * 2
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["4", "3", "2", "1", "0", "0", "0"]
    for answer in answers:
        assert answer.headers["x-ratelimit-limit"] == "5"
        assert 1 <= int(answer.headers["x-ratelimit-reset"]) <= 60
    for answer in answers[5:]:
        text = answer.error(429)
        assert "5 in 60 s" in text
        assert "rate_limiter.api_rate_limit" in text
        assert answer.headers["retry-after"] == answer.headers["x-ratelimit-reset"]
    assert "retry-after" not in answers[0].headers


async def test_refusals_and_unknown_paths_count_and_tell_too(serve_alone: Serve) -> None:
    async with serve_alone(rate_limiter=limiter(3)) as server:
        for status in (404, 401, 405):
            path = {404: "/nowhere", 401: f"/apps/{APP_ID}/channels", 405: f"/apps/{APP_ID}/events"}[status]
            answer = await http(server.port, "GET", path)
            answer.error(status)
            assert "x-ratelimit-remaining" in answer.headers
        (await http(server.port, "GET", "/nowhere")).error(429)


async def test_requests_pass_again_when_the_window_is_over(serve_alone: Serve) -> None:
    async with serve_alone(rate_limiter=limiter(2, window_seconds=5), speed=5) as server:
        api = ApiClient(server.port)
        assert [(await api.get("/channels")).status for _ in range(3)] == [200, 200, 429]
        while (await api.get("/channels")).status == 429:
            pass


async def test_probes_and_preflights_are_exempt(serve_alone: Serve) -> None:
    async with serve_alone(rate_limiter=limiter(1)) as server:
        (await http(server.port, "GET", "/nowhere")).error(404)
        (await http(server.port, "GET", "/nowhere")).error(429)
        for path in ("/up", f"/up/{APP_ID}", "/usage"):
            for _ in range(3):
                answer = await http(server.port, "GET", path)
                assert answer.status == 200
                assert "x-ratelimit-limit" not in answer.headers
        assert (await http(server.port, "OPTIONS", f"/apps/{APP_ID}/events")).status == 200


async def test_connections_have_a_limit_that_refuses_before_the_upgrade(serve_alone: Serve) -> None:
    async with serve_alone(rate_limiter=limiter(2, connections=3)) as server:
        for _ in range(3):
            async with PusherClient(server.port) as client:
                await client.expect_nothing()
        with pytest.raises(InvalidStatus, match="429"):
            await PusherClient(server.port).expect_refusal()
        async with RawWebSocket(server.port) as raw:
            await raw.write(upgrade_bytes(f"/app/{KEY}"))
            answer = await raw.answer()
        assert "rate_limiter.websocket_rate_limit" in answer.error(429)
        assert answer.headers["x-ratelimit-limit"] == "3"
        assert answer.headers["x-ratelimit-remaining"] == "0"
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert (await ApiClient(server.port).get("/channels")).status == 200


async def test_the_limit_of_requests_does_not_concern_connections(serve_alone: Serve) -> None:
    async with serve_alone(rate_limiter=limiter(1, connections=5)) as server:
        for _ in range(2):
            answer = await http(server.port, "GET", "/nowhere")
        answer.error(429)
        async with PusherClient(server.port) as client:
            await client.expect_nothing()


async def ask(server: Nodes, forwarded_for: str | None = None, real_ip: str | None = None) -> Answer:
    headers = {"X-Forwarded-For": forwarded_for, "X-Real-IP": real_ip}
    return await http(
        server.port, "GET", "/nowhere", headers={name: value for name, value in headers.items() if value is not None}
    )


async def test_without_trusted_hops_no_header_makes_another_client(serve_alone: Serve) -> None:
    async with serve_alone(rate_limiter=limiter(1)) as server:
        (await ask(server)).error(404)
        (await ask(server, "1.1.1.1")).error(429)
        (await ask(server, None, "1.1.1.2")).error(429)


async def test_a_trusted_proxys_clients_are_counted_separately(serve_alone: Serve) -> None:
    async with serve_alone(rate_limiter=limiter(1, trust_hops=1)) as server:
        (await ask(server, "1.1.1.1")).error(404)
        (await ask(server, "1.1.1.1")).error(429)
        (await ask(server, "1.1.1.2")).error(404)
        # What comes before the trusted entry was sent by the client itself.
        (await ask(server, "9.9.9.9, 1.1.1.1")).error(429)
        (await ask(server, "::1")).error(404)
        (await ask(server, "0:0:0:0:0:0:0:1")).error(429)
        (await ask(server, None, "1.1.1.3")).error(404)
        (await ask(server, None, "1.1.1.3")).error(429)


async def test_what_is_no_address_counts_for_the_proxy(serve_alone: Serve) -> None:
    async with serve_alone(rate_limiter=limiter(1, trust_hops=1)) as server:
        (await ask(server, "nonsense")).error(404)
        (await ask(server, "more nonsense")).error(429)
        (await ask(server)).error(429)
