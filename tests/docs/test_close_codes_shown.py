"""Every cause of a close code in docs/clients.md ends a connection with this code, and pusher:error says it before."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from tests.clients.client import ApiClient, PusherClient
from tests.clients.raw import CLOSE, PING, RawWebSocket
from tests.servers.server import app, running_server, server_process
from tests.support.pages import Claims, section, table_rows
from tests.support.source import ROOT

PAGE: Final = ROOT / "docs/clients.md"
CLAIMS: Final = Claims(PAGE, "## Close codes")
ROWS: Final = table_rows(section(PAGE, "## Close codes"))
SHOWN: Final = {(int(code), cause) for code, causes, _ in ROWS for cause in causes.split("; ")}
End = Callable[[Path], Awaitable[int]]
ENDS: Final[dict[tuple[int, str], End]] = {}


def ends(code: int, cause: str) -> Callable[[End], End]:
    """Mark what provokes the end that a row shows."""

    def mark(end: End) -> End:
        ENDS[code, cause] = end
        return end

    return mark


async def refusal(*apps: dict[str, Any], key: str = "app-key", query: str = "?protocol=7", **changes: Any) -> int:
    async with running_server(*apps, **changes) as server:
        return (await PusherClient(server.port, key, query=query).expect_refusal())[0]


@ends(4001, "no app has this key")
async def _unknown(_: Path) -> int:
    return await refusal(key="nobody")


@ends(4003, "the app is disabled")
async def _disabled(_: Path) -> int:
    return await refusal(app(enabled=False))


@ends(4004, "the app has `max_connections`")
async def _full(_: Path) -> int:
    async with running_server(app(max_connections=1)) as server, PusherClient(server.port):
        return (await PusherClient(server.port).expect_refusal())[0]


@ends(4006, "`protocol` is not a number")
async def _no_number(_: Path) -> int:
    return await refusal(query="?protocol=seven")


@ends(4007, "a protocol version other than 4 to 7")
async def _version(_: Path) -> int:
    return await refusal(query="?protocol=8")


@ends(4009, "the origin is not in `allowed_origins`")
async def _origin(_: Path) -> int:
    return await refusal(app(allowed_origins=["https://a.example"]))


@ends(4009, "sign-in failed")
async def _sign_in(_: Path) -> int:
    async with running_server(app(enable_user_authentication=True)) as server, PusherClient(server.port) as client:
        await client.send({"event": "pusher:signin", "data": {"auth": "x", "user_data": '{"id":"ann"}'}})
        return (await client.expect_end())[0]


@ends(4009, "not authorised in time")
async def _late(_: Path) -> int:
    async with (
        running_server(app(enable_user_authentication=True), speed=20, user_authentication_timeout=5) as server,
        PusherClient(server.port) as client,
    ):
        return (await client.expect_end())[0]


@ends(4009, "terminated by the app")
async def _terminated(_: Path) -> int:
    async with running_server() as server, PusherClient(server.port) as client:
        await client.subscribe("presence-room", {"user_id": "ann"})
        await ApiClient(server.port).post("/users/ann/terminate_connections")
        return (await client.expect_end())[0]


@ends(4100, "too much memory in use")
async def _memory(_: Path) -> int:
    return await refusal(http_api={"accept_traffic": {"memory_threshold": 0.000001}})


@ends(4100, "the connection does not keep up (`websocket.max_buffer_kb`)")
async def _slow(_: Path) -> int:
    async with (
        running_server(websocket={"max_buffer_kb": 64}) as server,
        RawWebSocket(server.port, receive_buffer=4096) as slow,
        PusherClient(server.port) as watcher,
    ):
        await watcher.subscribe("presence-room", {"user_id": "watcher"})
        await slow.subscribe("presence-room", {"user_id": "slow"})
        await watcher.expect("pusher_internal:member_added")
        for _number in range(1000):
            await ApiClient(server.port).trigger("presence-room", "x" * 50_000)
            if (await watcher.receive())["event"] == "pusher_internal:member_removed":
                break
        while True:
            opcode, payload = await slow.frame()
            if opcode == CLOSE:
                return int.from_bytes(payload[:2], "big")


@ends(4100, "50 unreadable messages within 10 s")
async def _noisy(_: Path) -> int:
    async with running_server() as server, PusherClient(server.port) as client:
        for _number in range(50):
            await client.send_text("{")
        for _number in range(49):
            await client.expect_error(None)
        return (await client.expect_end())[0]


@ends(4200, "the server is shutting down")
async def _shutdown(folder: Path) -> int:
    with server_process(folder, app(), shutdown_grace_period=1) as server:
        async with PusherClient(server.port) as client:
            server.send_signal(signal.SIGTERM)
            return (await client.expect_end())[0]


@ends(4200, "the app forced the user to reconnect")
async def _forced(_: Path) -> int:
    async with running_server() as server, PusherClient(server.port) as client:
        await client.subscribe("presence-room", {"user_id": "ann"})
        await ApiClient(server.port).post("/users/ann/force_reconnect")
        return (await client.expect_end())[0]


@ends(4201, "no sign of life 30 s after a ping")
async def _silent(_: Path) -> int:
    async with running_server(speed=20, activity_timeout=1) as server, RawWebSocket(server.port) as client:
        await client.open()
        assert await client.frame() == (PING, b"")
        code: int = (await client.event())["data"]["code"]
        assert (await client.expect_close())[0] == code
        return code


def test_every_cause_shown_is_provoked() -> None:
    assert set(ENDS) == SHOWN


@pytest.mark.parametrize(("code", "cause"), ENDS, ids=str)
async def test_a_cause_ends_the_connection_with_the_code_shown(code: int, cause: str, tmp_path: Path) -> None:
    assert await ENDS[code, cause](tmp_path) == code


def test_every_statement_has_a_test() -> None:
    assert (CLAIMS.unproved(), CLAIMS.vanished()) == ([], [])


@CLAIMS.proves("The WebSocket protocol adds 1002")
@pytest.mark.parametrize(
    ("code", "frame"),
    [
        (1002, b"\x81\x01x"),
        (1007, b"\x81\x81\0\0\0\0\xff"),
        (1009, b"\x81\xff" + (65 * 1024).to_bytes(8, "big") + b"\0" * 4),
    ],
)
async def test_what_is_no_websocket_is_ended_without_an_error_frame(code: int, frame: bytes) -> None:
    async with running_server(websocket_max_payload_kb=64) as server, RawWebSocket(server.port) as client:
        await client.open()
        await client.write(frame)
        assert (await client.expect_close())[0] == code


@CLAIMS.proves("`pusher:error` with 4301")
async def test_a_refused_client_event_and_a_long_watchlist_close_nothing() -> None:
    users = app(enable_user_authentication=True, enable_watchlist_events=True)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_server(users))
        client = await stack.enter_async_context(PusherClient(server.port))
        await client.trigger("private-a", "client-x", {})
        await client.expect_error(4301)
        await client.sign_in("ann", watchlist=[f"u{number}" for number in range(101)])
        seen = [await client.receive() for _ in range(3)]
        (refused,) = [frame for frame in seen if frame["event"] == "pusher:error"]
        assert refused["data"]["code"] == 4302
        await client.expect_nothing()
