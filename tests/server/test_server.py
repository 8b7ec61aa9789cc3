"""The server: it listens, and leaves in order within its time."""

from __future__ import annotations

import asyncio
import socket

import pytest

from sockudo.assembly.server import assemble
from sockudo.server.server import Listening, Server
from sockudo.supervisor.listening.listeners import ListenError
from sockudo.timing.clock import LoopClock
from tests.clients.attack import until
from tests.clients.client import WAIT, PusherClient, http
from tests.clients.frames import masked_close
from tests.fakes.stack import upgrade
from tests.servers.server import running_server, settings


async def test_it_listens_where_it_says_and_stops_listening() -> None:
    async with running_server() as server:
        assert (await http(server.port, "GET", "/up")).status == 200
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", server.port)


async def test_an_address_that_is_taken_is_an_error_at_start() -> None:
    async with running_server() as server:
        assembly = server.assembly
        with pytest.raises(ListenError, match="in use"):
            await Server(assembly.front, assembly.node, Listening("127.0.0.1", server.port)).start()


async def test_draining_sends_everybody_elsewhere_and_ends_with_the_last() -> None:
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


@pytest.mark.parametrize("ticks", range(4))
def test_a_worker_being_replaced_serves_already_connected_clients(ticks: int) -> None:
    # On the loop of real workers: asyncio's own drops what it has accepted but not handed on when a listener closes.
    uvloop = pytest.importorskip("uvloop")

    async def connect_and_replace() -> bytes:
        loop = asyncio.get_running_loop()
        assembly = assemble(settings(), LoopClock(loop))
        # The test keeps the queue, as a supervisor does.
        with socket.create_server(("127.0.0.1", 0)) as kept:
            await assembly.start((kept.dup(),))
            with socket.create_connection(kept.getsockname()) as client:
                client.setblocking(False)
                for _ in range(ticks):
                    await asyncio.sleep(0)
                drain = asyncio.create_task(assembly.server.drain(0, linger=5))
                await asyncio.sleep(0.01)
                await loop.sock_sendall(client, upgrade())
                answer = await asyncio.wait_for(loop.sock_recv(client, 4096), WAIT)
                await drain
        await assembly.stop()
        return answer

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert b"pusher:connection_established" in runner.run(connect_and_replace())
