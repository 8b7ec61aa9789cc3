"""Connections that are refused: first the error frame, then the close frame with the same code and text."""

from __future__ import annotations

import pytest

from tests.clients.client import PusherClient
from tests.clients.raw import RawWebSocket
from tests.servers.nodes import Serve
from tests.servers.server import app


async def test_an_unknown_key_is_refused_with_4001(serve: Serve) -> None:
    async with serve() as server:
        code, text = await PusherClient(server.port, key="nobodys-key").expect_refusal()
        assert code == 4001
        assert text.startswith("Application does not exist")
        assert "nobodys-key" not in text


async def test_a_disabled_app_is_refused_with_4003(serve: Serve) -> None:
    async with serve(app(enabled=False)) as server:
        assert await PusherClient(server.port).expect_refusal() == (4003, "Application disabled")


async def test_one_connection_over_the_quota_is_refused_with_4004(serve: Serve) -> None:
    async with (
        serve(app(max_connections=2)) as server,
        PusherClient(server.port) as first,
        PusherClient(server.port) as second,
    ):
        await server.settled()
        code, text = await PusherClient(server.port).expect_refusal()
        assert code == 4004
        assert text.startswith("Application is over connection quota")
        assert "2" in text
        assert "max_connections" in text
        for client in (first, second):
            await client.expect_nothing()


async def test_the_quota_is_free_again_when_a_connection_is_gone(serve: Serve) -> None:
    async with serve(app(max_connections=1)) as server:
        for _ in range(3):
            async with PusherClient(server.port):
                await server.settled()
                assert (await PusherClient(server.port).expect_refusal())[0] == 4004
            await server.settled()


async def test_a_refused_connection_takes_no_place_in_the_quota(serve: Serve) -> None:
    async with serve(app(max_connections=1, allowed_origins=["https://a.example"])) as server:
        for _ in range(3):
            assert (await PusherClient(server.port, origin="https://b.example").expect_refusal())[0] == 4009
        async with PusherClient(server.port, origin="https://a.example") as client:
            await client.expect_nothing()


async def test_the_quota_of_one_app_does_not_concern_another(serve: Serve) -> None:
    apps = app(max_connections=1), app(id="other", key="other-key", secret="other-secret", max_connections=1)
    async with serve(*apps) as server, PusherClient(server.port), PusherClient(server.port, "other-key") as other:
        await other.expect_nothing()


ORIGINS = ["*.example.com", "https://a.io", "localhost:3000"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://x.example.com",
        "http://x.y.EXAMPLE.com",
        "https://a.io",
        "http://localhost:3000",
        "https://localhost:3000",
    ],
)
async def test_an_allowed_origin_may_connect(serve: Serve, origin: str) -> None:
    async with serve(app(allowed_origins=ORIGINS)) as server, PusherClient(server.port, origin=origin) as client:
        await client.expect_nothing()


@pytest.mark.parametrize(
    "origin",
    [
        "https://example.com",
        "http://a.io",
        "http://localhost",
        "http://localhost:3001",
        "https://notexample.com",
        None,
    ],
)
async def test_any_other_origin_and_none_is_refused_with_4009(serve: Serve, origin: str | None) -> None:
    async with serve(app(allowed_origins=ORIGINS)) as server:
        code, text = await PusherClient(server.port, origin=origin).expect_refusal()
        assert code == 4009
        assert text.startswith("Origin not allowed")


@pytest.mark.parametrize("origins", [None, [], ["*"]])
async def test_a_star_or_no_list_admits_any_origin_and_none(serve: Serve, origins: list[str] | None) -> None:
    async with serve(app(allowed_origins=origins)) as server:
        for origin in ("https://anything.example", None):
            async with PusherClient(server.port, origin=origin) as client:
                await client.expect_nothing()


@pytest.mark.parametrize("version", ["0", "3", "8", "99999999999999999999"])
async def test_a_version_that_is_not_spoken_is_refused_with_4007(serve: Serve, version: str) -> None:
    async with serve() as server:
        code, text = await PusherClient(server.port, query=f"?protocol={version}").expect_refusal()
        assert code == 4007
        assert text.startswith("Unsupported protocol version")


@pytest.mark.parametrize("version", ["", "seven", "-7", "7.0", "%D9%A7"])
async def test_a_version_that_is_no_number_is_refused_with_4006(serve: Serve, version: str) -> None:
    async with serve() as server:
        code, text = await PusherClient(server.port, query=f"?protocol={version}").expect_refusal()
        assert code == 4006
        assert text.startswith("Invalid version string format")


async def test_above_the_memory_threshold_connections_are_refused_with_4100(serve: Serve) -> None:
    async with serve(http_api={"accept_traffic": {"memory_threshold": 0.000001}}) as server:
        code, text = await PusherClient(server.port).expect_refusal()
        assert code == 4100
        assert text.startswith("Over capacity")
        assert "http_api.accept_traffic.memory_threshold" in text


async def test_a_refused_client_that_does_not_leave_is_dropped(serve: Serve) -> None:
    async with serve(speed=20) as server, RawWebSocket(server.port) as client:
        assert (await client.open("nobodys-key"))["data"]["code"] == 4001
        assert (await client.expect_close())[0] == 4001
        await client.expect_end()


async def test_what_a_refused_client_sends_is_not_answered(serve: Serve) -> None:
    async with serve() as server, RawWebSocket(server.port) as client:
        await client.open("nobodys-key")
        await client.send_event("pusher:subscribe", {"channel": "news"})
        code, text = await client.expect_close()
        assert code == 4001
        await client.send(8, code.to_bytes(2) + text.encode())
        await client.expect_end()
