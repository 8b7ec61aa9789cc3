"""Errors over HTTP: the right status, and always JSON with a text and the status."""

from __future__ import annotations

import pytest

from tests.clients.client import ApiClient, http
from tests.servers.nodes import Serve
from tests.servers.server import APP_ID

NO_EVENT = [b"[]", b"null", b'"text"', b"7", b"true", b"{}", b" ", b"{", b"\xff", b'{"name":"\xff"}', b"[" * 20_000]


@pytest.mark.parametrize("body", [b"", *NO_EVENT])
@pytest.mark.parametrize("path", ["/events", "/batch_events"])
async def test_a_body_that_is_no_event_is_400(serve: Serve, path: str, body: bytes) -> None:
    async with serve() as server:
        (await ApiClient(server.port).post(path, body)).error(400)


@pytest.mark.parametrize("batch", ["[1]", "[null]", "[[]]", "{}", "null", '"x"', '[{"name":"e"}]'])
async def test_a_batch_that_is_no_list_of_events_is_400(serve: Serve, batch: str) -> None:
    async with serve() as server:
        (await ApiClient(server.port).post("/batch_events", f'{{"batch":{batch}}}'.encode())).error(400)


async def test_data_that_is_nested_too_deeply_is_400(serve: Serve) -> None:
    deep = b"[" * 10_000 + b"]" * 10_000
    async with serve() as server:
        body = b'{"name":"e","channel":"a","data":' + deep + b"}"
        (await ApiClient(server.port).post("/events", body)).error(400)


async def test_data_that_is_not_utf8_is_400(serve: Serve) -> None:
    async with serve() as server:
        body = b'{"name":"e","channel":"a","data":{"a":"\xff"}}'
        (await ApiClient(server.port).post("/events", body)).error(400)


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/apps",
        f"/apps/{APP_ID}",
        f"/apps/{APP_ID}/nowhere",
        f"/apps/{APP_ID}/channels/a/nowhere",
        f"/apps/{APP_ID}/users/ann",
        "/up/a/b",
        "/app",
        "/app/a/b",
        "/live/a",
        "/accept-traffic/a",
        "/up//up",
        "/metrics",
    ],
)
async def test_a_path_that_is_not_served_is_404(serve: Serve, path: str) -> None:
    async with serve() as server:
        (await http(server.port, "GET", path)).error(404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", f"/apps/{APP_ID}/events", "POST"),
        ("GET", f"/apps/{APP_ID}/batch_events", "POST"),
        ("GET", f"/apps/{APP_ID}/users/ann/terminate_connections", "POST"),
        ("PUT", f"/apps/{APP_ID}/events", "POST"),
        ("POST", f"/apps/{APP_ID}/channels", "GET"),
        ("DELETE", f"/apps/{APP_ID}/channels/a", "GET"),
        ("POST", f"/apps/{APP_ID}/channels/a/users", "GET"),
        ("POST", "/up", "GET"),
        ("POST", f"/up/{APP_ID}", "GET"),
        ("DELETE", "/usage", "GET"),
    ],
)
async def test_an_unserved_method_is_405_and_the_others_are_named(
    serve: Serve, method: str, path: str, allowed: str
) -> None:
    async with serve() as server:
        answer = await http(server.port, method, path)
        answer.error(405)
        assert allowed in answer.headers["allow"].split(", ")
        assert method not in answer.headers["allow"].split(", ")
