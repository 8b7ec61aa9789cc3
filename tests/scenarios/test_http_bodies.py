"""Bodies that are not small: the head decides, before the body is read and without keeping it."""

from __future__ import annotations

import json

import pytest

from tests.clients.client import ApiClient, PusherClient
from tests.clients.raw import HttpConnection, request_bytes
from tests.servers.nodes import Serve
from tests.servers.server import APP_ID, app

LARGE = 9 * 1024 * 1024
EVENT = json.dumps({"name": "e", "channel": "news", "data": "x" * 60_000}).encode()


def announced(method: str, target: str, length: int = LARGE) -> bytes:
    """Return the head of a request with a body that does not follow."""
    return request_bytes(method, target, headers={"Content-Length": str(length)})


async def expect_refusal(connection: HttpConnection, status: int) -> str:
    """Return the error of the last answer of a connection, which names that it is the last."""
    answer = await connection.answer()
    assert answer.headers["connection"] == "close"
    await connection.expect_end()
    return answer.error(status)


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("POST", "/nowhere", 404),
        ("PUT", f"/apps/{APP_ID}/events", 405),
        ("POST", "/apps/nobody/events", 404),
        ("POST", f"/apps/{APP_ID}/events", 401),
        ("POST", f"/apps/{APP_ID}/events?auth_key=other", 401),
        ("POST", f"/apps/{APP_ID}/events?auth_key=app-key&auth_timestamp=1", 401),
        ("POST", "/users/7/terminate_connections?auth_key=other", 401),
        ("POST", "/up", 405),
        ("POST", "/app/app-key", 400),
    ],
)
async def test_a_large_body_is_refused_by_its_head_alone(serve: Serve, method: str, target: str, status: int) -> None:
    async with serve() as server, HttpConnection(server.port) as connection:
        await connection.write(announced(method, target))
        await expect_refusal(connection, status)


async def test_a_wrong_signature_is_refused_before_the_body(serve: Serve) -> None:
    async with serve() as server, HttpConnection(server.port) as connection:
        await connection.write(announced("POST", ApiClient(server.port).target("POST", "/events", b"x") + "0"))
        assert "Invalid signature" in await expect_refusal(connection, 401)


async def test_a_large_body_without_md5_is_refused_by_its_head(serve: Serve) -> None:
    async with serve() as server, HttpConnection(server.port) as connection:
        await connection.write(announced("POST", ApiClient(server.port).target("POST", "/events")))
        assert "body_md5 is required" in await expect_refusal(connection, 401)


async def test_a_disabled_app_is_refused_by_the_head(serve: Serve) -> None:
    async with serve(app(enabled=False)) as server, HttpConnection(server.port) as connection:
        await connection.write(announced("POST", ApiClient(server.port).target("POST", "/events", b"x")))
        await expect_refusal(connection, 403)


async def test_an_asking_client_sends_no_body_for_a_refused_head(serve: Serve) -> None:
    async with serve() as server, HttpConnection(server.port) as connection:
        target = f"/apps/{APP_ID}/events"
        await connection.write(request_bytes("POST", target, EVENT, {"Expect": "100-continue"})[: -len(EVENT)])
        await expect_refusal(connection, 401)


async def test_a_body_other_than_the_signed_one_is_refused(serve: Serve) -> None:
    async with serve() as server, HttpConnection(server.port) as connection:
        target = ApiClient(server.port).target("POST", "/events", EVENT)
        answer = await connection.request("POST", target, EVENT.replace(b"x", b"y"))
        assert "body_md5 does not match" in answer.error(401)
        assert (await connection.request("POST", target, EVENT)).status == 200


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("expects", [False, True])
async def test_a_large_event_is_published_however_it_is_sent(serve: Serve, is_chunked: bool, expects: bool) -> None:
    async with serve() as server, PusherClient(server.port) as client, HttpConnection(server.port) as connection:
        await client.subscribe("news")
        await server.settled()
        target = ApiClient(server.port).target("POST", "/events", EVENT)
        headers = {"Transfer-Encoding": "chunked"} if is_chunked else {"Content-Length": str(len(EVENT))}
        if expects:
            headers["Expect"] = "100-continue"
        await connection.write(request_bytes("POST", target, headers=headers))
        if expects:
            assert (await connection.answer()).status == 100
        body = EVENT
        if is_chunked:
            parts = [EVENT[start : start + 1000] for start in range(0, len(EVENT), 1000)]
            body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        await connection.write(body)
        assert (await connection.answer()).status == 200
        assert len((await client.expect("e"))["data"]) == 60_000
        assert (await connection.request("GET", "/up")).body == b"OK"


async def test_the_rate_limit_of_an_address_comes_before_the_signature(serve_alone: Serve) -> None:
    # Each process counts for itself.
    limits = {"enabled": True, "api_rate_limit": {"max_requests": 1, "window_seconds": 60}}
    async with serve_alone(rate_limiter=limits) as server:
        port = server.port
        async with HttpConnection(port) as connection:
            target = ApiClient(port).target("POST", "/events", EVENT)
            answer = await connection.request("POST", target, EVENT)
            assert answer.status == 200
            assert answer.headers["x-ratelimit-remaining"] == "0"
        async with HttpConnection(port) as connection:
            await connection.write(announced("POST", ApiClient(port).target("POST", "/events", EVENT), len(EVENT)))
            await expect_refusal(connection, 429)


async def test_bodies_over_the_shared_budget_are_503_and_later_taken(serve_alone: Serve) -> None:
    # Each process has its own memory.
    limits = {"request_limit_in_mb": 10, "max_bodies_in_flight_mb": 10}
    async with serve_alone(http_api=limits) as server:
        port = server.port
        target = ApiClient(port).target("POST", "/events", b"x" * LARGE)
        async with HttpConnection(port) as first, HttpConnection(port) as second:
            await first.write(
                request_bytes("POST", target, headers={"Content-Length": str(LARGE), "Expect": "100-continue"})
            )
            assert (await first.answer()).status == 100
            await second.write(announced("POST", target))
            answer = await second.answer()
            assert "http_api.max_bodies_in_flight_mb" in answer.error(503)
            assert int(answer.headers["retry-after"]) > 0
            await first.write(b"x" * LARGE)
            (await first.answer()).error(400)
            (await first.request("POST", target, b"x" * LARGE)).error(400)


async def test_requests_in_absolute_form_are_answered(serve: Serve) -> None:
    async with serve() as server, HttpConnection(server.port) as connection:
        target = ApiClient(server.port).target("POST", "/events", EVENT)
        assert (await connection.request("POST", f"http://elsewhere:80{target}", EVENT)).status == 200
        assert (await connection.request("GET", "http://elsewhere/up")).body == b"OK"
        (await connection.request("POST", f"http://elsewhere{target}0", EVENT[:100])).error(401)


async def test_two_leading_slashes_are_one(serve: Serve) -> None:
    async with serve() as server, HttpConnection(server.port) as connection:
        target = ApiClient(server.port).target("GET", "/channels")
        assert (await connection.request("GET", "/" + target)).status == 200
        assert (await connection.request("GET", "//up")).body == b"OK"
