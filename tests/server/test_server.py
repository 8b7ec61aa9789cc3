"""The server: it listens, and leaves in order within its time."""

from __future__ import annotations

import asyncio
import socket

import pytest

from sockudo.server.server import Server
from tests.support.attack import until
from tests.support.client import WAIT, PusherClient, http
from tests.support.frames import masked_close
from tests.support.server import running_server
from tests.support.stack import upgrade


async def test_it_listens_where_it_says_and_stops_listening() -> None:
    async with running_server() as server:
        assert (await http(server.port, "GET", "/up")).status == 200
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", server.port)


async def test_an_address_that_is_taken_is_an_error_at_start() -> None:
    async with running_server() as server:
        assembly = server.assembly
        with pytest.raises(OSError):
            await Server(assembly.front, assembly.node, "127.0.0.1", server.port).start()


async def test_draining_sends_everybody_elsewhere_and_is_done_when_they_are_gone() -> None:
    async with running_server() as server, asyncio.TaskGroup() as tasks:
        clients = [PusherClient(server.port) for _ in range(20)]
        for client in clients:
            await client.__aenter__()
        drain = tasks.create_task(server.assembly.server.drain(30))
        for client in clients:
            assert (await client.expect("pusher:error"))["data"]["code"] == 4200
            assert (await client.expect_close())[0] == 4200
            await client.__aexit__(None, None, None)
        await asyncio.wait_for(drain, WAIT)
        assert server.assembly.front.websockets.open_count == 0


async def test_draining_ends_with_its_time_though_clients_stay() -> None:
    async with running_server() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(upgrade())
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.wait_for(server.assembly.server.drain(0.2), WAIT)
        assert server.assembly.front.websockets.open_count == 1
        writer.close()
        await writer.wait_closed()


async def test_draining_a_server_without_clients_takes_no_time() -> None:
    async with running_server() as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.wait_for(server.assembly.server.drain(600), WAIT)
        writer.close()
        await writer.wait_closed()


async def test_a_draining_server_accepts_nobody() -> None:
    async with running_server() as server:
        await server.assembly.server.drain(1)
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", server.port)


async def test_stopping_drops_every_socket_at_whatever_stage() -> None:
    async with running_server() as server:
        sockets = []
        for start in (b"", b"GET", upgrade()[:-2], upgrade(), upgrade() + masked_close(1000)[:3]):
            one = socket.create_connection(("127.0.0.1", server.port))
            one.setblocking(False)
            await asyncio.get_running_loop().sock_sendall(one, start)
            sockets.append(one)
        front = server.assembly.front
        await until(lambda: front.websockets.open_count == 2 and len(front.http_connections) == 3)
        await server.assembly.server.stop()
        await until(lambda: not front.websockets.open_count and not front.http_connections)
        for one in sockets:
            one.close()
    assert list(server.assembly.node.hub.connections()) == []
