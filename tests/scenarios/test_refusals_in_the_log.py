"""What an operator finds in the log about peers that were refused."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.clients.attack import until
from tests.clients.client import ApiClient, PusherClient, http
from tests.servers.server import APP_ID, KEY, SECRET, app, server_process

OFF = app(id="off", key="off-key", enabled=False)
PICKY = app(id="picky", key="picky-key", allowed_origins=["https://a.example.com"], max_connections=0)
FULL = app(id="full", key="full-key", max_connections=1)


class Log:
    """The lines of a server."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, **fields: Any) -> list[dict[str, Any]]:
        """Return the lines with these fields."""
        lines = (json.loads(line) for line in self._path.read_text().splitlines() if line.startswith("{"))
        return [line for line in lines if all(line.get(name) == value for name, value in fields.items())]

    async def one(self, **fields: Any) -> dict[str, Any]:
        """Wait for the one line with these fields."""
        await until(lambda: len(self.find(**fields)) == 1, f"{fields} in the log")
        return self.find(**fields)[0]


@pytest.mark.parametrize("level", ["info", "debug"])
async def test_a_connection_that_never_retries_is_in_the_log(tmp_path: Path, level: str) -> None:
    with server_process(tmp_path, app(), OFF, PICKY, FULL, environ={"LOG_LEVEL": level}) as server:
        lines, port = Log(tmp_path / "server.log"), server.port
        async with PusherClient(port, key="full-key"):
            refusals = {
                4001: PusherClient(port, key="unknown"),
                4003: PusherClient(port, key="off-key"),
                4004: PusherClient(port, key="full-key"),
                4006: PusherClient(port, query="?protocol=x"),
                4007: PusherClient(port, query="?protocol=3"),
                4009: PusherClient(port, key="picky-key", origin="https://b.example.com"),
            }
            for code, client in refusals.items():
                assert (await client.expect_refusal())[0] == code
        for code in refusals:
            line = await lines.one(message="connection refused", code=code)
            assert (line["level"], line["peer"]) == ("info", "127.0.0.1")
        assert lines.find(code=4001)[0]["path"] == "/app/unknown"
        assert lines.find(code=4003)[0]["app"] == "off"
        assert lines.find(code=4009)[0]["origin"] == "https://b.example.com"


@pytest.mark.parametrize("level", ["info", "debug"])
async def test_a_request_with_a_wrong_signature_is_in_the_log(tmp_path: Path, level: str) -> None:
    with server_process(tmp_path, app(), OFF, environ={"LOG_LEVEL": level}) as server:
        lines = Log(tmp_path / "server.log")
        target = ApiClient(server.port).target("GET", "/channels")
        answer = await http(server.port, "GET", target.replace("/channels", "/channels/x"))
        assert f"verified for GET /apps/{APP_ID}/channels/x" in answer.error(401)
        line = await lines.one(message="request refused", code=401)
        assert (line["app"], line["method"], line["path"]) == (APP_ID, "GET", f"/apps/{APP_ID}/channels/x")
        assert ("signed_text" in line) == (level == "debug")
        if level == "debug":
            assert line["signed_text"].startswith(f"GET\n/apps/{APP_ID}/channels/x\nauth_key={KEY}&auth_timestamp=")
        disabled = await ApiClient(server.port, "off", "off-key").get("/channels")
        disabled.error(403)
        await lines.one(message="request refused", code=403, app="off")
        assert SECRET not in (tmp_path / "server.log").read_text()


async def test_a_request_refused_by_its_head_is_logged_once(tmp_path: Path) -> None:
    with server_process(tmp_path, environ={"LOG_LEVEL": "debug"}) as server:
        lines = Log(tmp_path / "server.log")
        (await ApiClient(server.port, secret="wrong").post("/events", b"x" * 100_000)).error(401)
        # What comes later stands behind it.
        (await ApiClient(server.port).get("/channels/a b")).error(400)
        await lines.one(message="request refused", code=400)
        assert len(lines.find(code=401)) == 1


async def test_what_was_signed_is_told_with_debugging(tmp_path: Path) -> None:
    user = app(enable_user_authentication=True)
    with server_process(tmp_path, user, environ={"LOG_LEVEL": "debug"}) as server:
        lines = Log(tmp_path / "server.log")
        async with PusherClient(server.port) as client:
            await client.ask_for("presence-room", '{"user_id":"7"}', auth=f"{KEY}:wrong")
            await client.expect_rejection("presence-room", "AuthError", 401)
            line = await lines.one(message="subscription refused", channel="presence-room")
            assert line["signed_text"] == f'{client.socket_id}:presence-room:{{"user_id":"7"}}'
            await client.trigger("nowhere", "client-x", "data")
            await client.expect_error(4301)
            await lines.one(message="command refused", code=4301, channel="nowhere", level="debug")
            await client.send({"event": "pusher:signin", "data": {"auth": f"{KEY}:wrong", "user_data": '{"id":"7"}'}})
            assert (await client.expect_end())[0] == 4009
            line = await lines.one(message="connection ended", code=4009)
            assert line["signed_text"] == f'{client.socket_id}::user::{{"id":"7"}}'
        assert SECRET not in (tmp_path / "server.log").read_text()


async def test_what_clients_try_again_is_told_with_debugging_only(tmp_path: Path) -> None:
    limits = {"enabled": True, "websocket_rate_limit": {"max_requests": 2}, "api_rate_limit": {"max_requests": 2}}
    changes = {"rate_limiter": limits, "http_api": {"request_limit_in_mb": 1}}
    with server_process(tmp_path, environ={"LOG_LEVEL": "debug"}, **changes) as server:
        lines, port = Log(tmp_path / "server.log"), server.port
        (await http(port, "POST", "/nowhere", bytes(2_000_000))).error(413)
        await lines.one(message="request refused", code=413, level="debug")
        for _ in range(2):
            (await http(port, "GET", "/nowhere")).error(404)
        (await http(port, "GET", "/nowhere")).error(429)
        line = await lines.one(message="request refused", code=429, level="debug")
        assert line["peer"] == "127.0.0.1"
        for _ in range(2):
            async with PusherClient(port):
                pass
        with pytest.raises(InvalidStatus):
            await PusherClient(port).expect_refusal()
        await lines.one(message="upgrade refused", code=429, level="debug")


async def test_a_flood_of_refusals_becomes_few_lines_and_a_number(tmp_path: Path) -> None:
    with server_process(tmp_path, environ={"LOG_LEVEL": "info"}) as server:
        async with asyncio.TaskGroup() as tasks:
            for number in range(100):
                tasks.create_task(PusherClient(server.port, key=f"unknown-{number}").expect_refusal())
        assert server.stop() == 0
    lines = Log(tmp_path / "server.log")
    told = lines.find(message="connection refused")
    (rest,) = [line for line in lines.find(code=4001) if "more in the last" in line["message"]]
    assert rest["message"] == f"connection refused: and {100 - len(told)} more in the last 10 s"
