"""Shutting down: every client is sent elsewhere, what is under way is answered, and the process ends soon."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from pathlib import Path

import pytest

from tests.clients.client import ApiClient, PusherClient, http
from tests.clients.raw import HttpConnection, RawWebSocket, request_bytes, upgrade_bytes
from tests.servers.server import KEY, app, server_process
from tests.support.waiting import eventually

GOODBYE = (4200, "Server shutting down")
EVENT = b'{"name":"e","channel":"news","data":"x"}'


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_every_client_is_told_to_reconnect_before_a_clean_exit(tmp_path: Path, number: signal.Signals) -> None:
    with server_process(tmp_path, app(enable_user_authentication=True)) as server:
        async with PusherClient(server.port) as ann, PusherClient(server.port) as bob, PusherClient(server.port) as cid:
            await ann.subscribe("news")
            await bob.subscribe("cache-a")
            await bob.expect("pusher:cache_miss")
            await cid.sign_in("cid")
            await cid.expect("pusher:signin_success")
            began = time.monotonic()
            server.send_signal(number)
            for client in (ann, bob, cid):
                assert await client.expect_end() == GOODBYE
            assert await server.exit_status() == 0
            # All clients have left, so nothing is waited for.
            assert time.monotonic() - began < 10


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_server_without_clients_ends_at_once(tmp_path: Path, number: signal.Signals) -> None:
    with server_process(tmp_path) as server:
        began = time.monotonic()
        server.send_signal(number)
        assert await server.exit_status() == 0
        assert time.monotonic() - began < 10


async def test_members_leave_once_before_the_rest_are_sent_away(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        async with PusherClient(server.port) as ann, PusherClient(server.port) as bob:
            await ann.subscribe("presence-room", {"user_id": "ann"})
            await bob.subscribe("presence-room", {"user_id": "bob"})
            await ann.expect("pusher_internal:member_added")
            server.send_signal()
            removed = []
            for client in (ann, bob):
                while (frame := await client.receive())["event"] == "pusher_internal:member_removed":
                    removed.append(json.loads(frame["data"])["user_id"])
                assert frame["data"]["code"] == 4200
                assert await client.expect_close() == GOODBYE
            assert len(removed) <= 1
            assert await server.exit_status() == 0


async def test_a_client_that_stays_is_dropped_within_the_grace_period(tmp_path: Path) -> None:
    with server_process(tmp_path, shutdown_grace_period=1) as server:
        async with RawWebSocket(server.port) as client:
            await client.open()
            began = time.monotonic()
            server.send_signal()
            assert (await client.event())["data"]["code"] == 4200
            assert await client.expect_close() == GOODBYE
            await client.expect_end()
            assert await server.exit_status() == 0
            assert time.monotonic() - began > 1


async def test_a_second_signal_ends_the_process_at_once(tmp_path: Path) -> None:
    with server_process(tmp_path, shutdown_grace_period=60) as server:
        async with RawWebSocket(server.port) as client, HttpConnection(server.port) as held:
            await client.open()
            await held.write(request_bytes("POST", "/apps/x/events", EVENT)[:-1])
            server.send_signal()
            assert (await client.event())["data"]["code"] == 4200
            server.send_signal()
            assert await server.exit_status() == 0


async def test_nobody_can_connect_any_more(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        async with RawWebSocket(server.port) as client:
            await client.open()
            server.send_signal()
            await client.event()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", server.port)


async def test_who_is_about_to_connect_is_sent_elsewhere(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        async with RawWebSocket(server.port) as early, RawWebSocket(server.port) as late:
            upgrade = upgrade_bytes(f"/app/{KEY}")
            await late.write(upgrade[:-2])
            await early.open()
            server.send_signal()
            await early.event()
            await late.write(upgrade[-2:])
            assert (await late.head())[0] == 101
            assert (await late.event())["data"] == {"code": 4200, "message": GOODBYE[1]}
            assert await late.expect_close() == GOODBYE


async def test_up_is_503_while_clients_are_sent_away(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        async with (
            RawWebSocket(server.port) as client,
            HttpConnection(server.port) as probe,
            HttpConnection(server.port) as app_probe,
        ):
            for connection, target in ((probe, "/up"), (app_probe, "/up/1")):
                await connection.write(request_bytes("GET", target)[:-2])
            await client.open()
            server.send_signal()
            await client.event()
            for connection in (probe, app_probe):
                await connection.write(b"\r\n")
                answer = await connection.answer()
                assert (answer.status, answer.body) == (503, b"DRAINING")
                assert answer.headers["connection"] == "close"
                await connection.expect_end()


async def test_a_request_underway_to_an_idle_connection_is_answered(tmp_path: Path) -> None:
    with server_process(tmp_path, shutdown_grace_period=20) as server:
        async with RawWebSocket(server.port) as client, HttpConnection(server.port) as idle:
            assert (await idle.request("GET", "/up")).status == 200
            await client.open()
            server.send_signal()
            assert (await client.event())["data"]["code"] == 4200
            answer = await idle.request("POST", ApiClient(server.port).target("POST", "/events", EVENT), EVENT)
            assert answer.status == 200
            assert answer.headers["connection"] == "close"
            await idle.expect_end()


async def test_http_connections_that_stay_idle_are_closed(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        async with (
            RawWebSocket(server.port) as client,
            HttpConnection(server.port) as used,
            HttpConnection(server.port) as fresh,
        ):
            assert (await used.request("GET", "/up")).status == 200
            await client.open()
            server.send_signal()
            for connection in (used, fresh):
                await connection.expect_end()


async def test_a_request_under_way_is_answered_before_the_process_ends(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        async with HttpConnection(server.port) as connection, HttpConnection(server.port) as idle:
            request = request_bytes("POST", ApiClient(server.port).target("POST", "/events", EVENT), EVENT)
            await connection.write(request[:-1])
            assert (await idle.request("GET", "/up")).status == 200
            server.send_signal()
            # The server is leaving when this one is closed; no client holds it up.
            await idle.expect_end()
            await connection.write(request[-1:])
            answer = await connection.answer()
            assert answer.status == 200
            assert answer.headers["connection"] == "close"
            assert await server.exit_status() == 0


async def test_many_clients_are_all_told(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        clients = [PusherClient(server.port) for _ in range(200)]
        await asyncio.gather(*(client.__aenter__() for client in clients))
        server.send_signal()
        assert await asyncio.gather(*(client.expect_end() for client in clients)) == [GOODBYE] * 200
        await asyncio.gather(*(client.close() for client in clients))
        assert await server.exit_status() == 0


async def test_everything_is_served_while_probes_announce_the_end(tmp_path: Path) -> None:
    with server_process(tmp_path, readiness_delay=60) as server:
        async with PusherClient(server.port) as early:
            await early.subscribe("news")
            server.send_signal()
            await eventually(lambda: ready_status(server.port), 503)
            for path, body in (("/ready", b"DRAINING: the server shuts down"), ("/up", b"DRAINING"), ("/live", b"")):
                answer = await http(server.port, "GET", path)
                assert (answer.status, answer.body) == (200 if path == "/live" else 503, body)
            async with PusherClient(server.port) as late:
                await late.subscribe("news")
                await ApiClient(server.port).trigger("news", "still here")
                for client in (early, late):
                    assert (await client.expect("event"))["data"] == "still here"
            # The second signal ends the wait, too.
            server.send_signal()
            assert await server.exit_status() == 0


async def test_clients_are_sent_away_after_the_readiness_delay(tmp_path: Path) -> None:
    with server_process(tmp_path, readiness_delay=1) as server:
        async with PusherClient(server.port) as client:
            began = time.monotonic()
            server.send_signal()
            assert await client.expect_end() == GOODBYE
            assert time.monotonic() - began >= 1
            assert await server.exit_status() == 0


async def ready_status(port: int) -> int:
    """Return the status of the probe."""
    return (await http(port, "GET", "/ready")).status
