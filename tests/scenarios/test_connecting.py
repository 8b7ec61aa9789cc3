"""Connecting: the first frame, protocol versions, what may stand in the URL."""

from __future__ import annotations

import json
import re

import pytest

from tests.clients.client import ApiClient, PusherClient
from tests.clients.raw import TEXT, RawWebSocket, client_frame, upgrade_bytes
from tests.servers.nodes import Serve
from tests.servers.server import KEY, app


async def test_the_first_frame_is_connection_established_with_string_data(serve: Serve) -> None:
    async with serve(activity_timeout=77) as server, PusherClient(server.port) as client:
        assert client.first.keys() == {"event", "data"}
        assert isinstance(client.first["data"], str)
        data = json.loads(client.first["data"])
        assert data == {"socket_id": client.socket_id, "activity_timeout": 77}
        assert re.fullmatch(r"\d+\.\d+", client.socket_id)


async def test_nothing_follows_the_first_frame_unasked(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        await client.expect_nothing()


async def test_the_activity_timeout_is_two_minutes_by_default(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        assert json.loads(client.first["data"])["activity_timeout"] == 120


async def test_no_two_connections_have_the_same_socket_id(serve: Serve) -> None:
    async with serve() as server:
        seen = set()
        for _ in range(50):
            async with PusherClient(server.port) as client:
                seen.add(client.socket_id)
    assert len(seen) == 50


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?client=js",
        "?protocol=4",
        "?protocol=5",
        "?protocol=6",
        "?protocol=7&client=js&version=8.4.0&flash=false",
        "?a=%ff&&=&b",
    ],
)
async def test_spoken_versions_no_version_and_unknown_parameters_are_accepted(serve: Serve, query: str) -> None:
    async with serve() as server, PusherClient(server.port, query=query) as client:
        await client.subscribe("news")


async def test_a_key_may_be_percent_encoded_or_end_in_slash(serve: Serve) -> None:
    async with serve(app(key="a key")) as server, PusherClient(server.port, "a%20key/") as client:
        await client.expect_nothing()


async def test_a_client_frame_may_come_with_the_handshake(serve: Serve) -> None:
    async with serve() as server, RawWebSocket(server.port) as client:
        ping = b'{"event":"pusher:ping","data":{}}'
        await client.write(
            upgrade_bytes(f"/app/{KEY}") + client_frame(TEXT, ping),
        )
        assert (await client.head())[0] == 101
        assert (await client.event())["event"] == "pusher:connection_established"
        assert await client.event() == {"event": "pusher:pong", "data": "{}"}


async def test_the_servers_close_frame_echoes_the_clients_code(serve: Serve) -> None:
    async with serve() as server, RawWebSocket(server.port) as client:
        await client.open()
        await client.send(8, (1000).to_bytes(2) + b"bye")
        assert await client.expect_close() == (1000, "")
        await client.expect_end()


async def test_the_app_path_without_an_upgrade_says_what_is_missing(serve: Serve) -> None:
    async with serve() as server:
        answer = await ApiClient(server.port).request("GET", f"/app/{KEY}")
        assert "WebSocket" in answer.error(400)


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("Sec-WebSocket-Version", "8", 426),
        ("Sec-WebSocket-Key", "short", 400),
        ("Connection", "keep-alive", 400),
    ],
)
async def test_a_handshake_that_is_not_one_is_answered_over_http(
    serve: Serve, field: str, value: str, status: int
) -> None:
    async with serve() as server, RawWebSocket(server.port) as client:
        good = upgrade_bytes(f"/app/{KEY}").decode()
        await client.write(re.sub(f"{field}: .*?\r\n", f"{field}: {value}\r\n", good).encode())
        assert (await client.answer()).error(status)
