"""The door: nothing that waits in front of HTTP is without a bound, and nobody is kept out by silent peers."""

from __future__ import annotations

import asyncio

import pytest

from sockudo.server.accepting import door
from sockudo.server.accepting.arrival import Arrival
from sockudo.supervisor.listening.listeners import CAN_BALANCE, open_listeners, set_aside
from tests.clients.attack import until
from tests.clients.client import WAIT
from tests.clients.doors import TlsClient, ask, get, is_dropped, line, streams, tls_settings, trusting
from tests.servers.certificates import Certificate
from tests.servers.ports import free_port
from tests.servers.server import running_server


@pytest.fixture
def few_pending(monkeypatch: pytest.MonkeyPatch) -> int:
    """As many sockets may wait as a test can open."""
    monkeypatch.setattr(door, "MOST_PENDING", 4)
    return 4


@pytest.mark.parametrize("sent", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00"])
async def test_half_open_handshakes_are_bounded_and_keep_nobody_out(
    made: Certificate, few_pending: int, sent: bytes
) -> None:
    async with running_server(ssl=tls_settings(made)) as server, streams(server.port) as first:
        first[1].write(sent)
        silent = []
        for _ in range(3 * few_pending):
            one = await asyncio.open_connection("127.0.0.1", server.port)
            one[1].write(sent)
            silent.append(one)
            assert (await ask(server.port, context=trusting(made))).status == 200
            assert server.assembly.front.open_count <= few_pending
        # The oldest gave way.
        assert await is_dropped(first)
        for _, writer in silent:
            writer.transport.abort()


async def test_many_handshakes_at_once_all_succeed(made: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    # So few that accepting stops and goes on several times.
    monkeypatch.setattr(door, "_MOST_READY", 5)
    monkeypatch.setattr(door, "_FEW_READY", 2)
    context = trusting(made)
    async with running_server(ssl=tls_settings(made)) as server:
        found = await asyncio.wait_for(asyncio.gather(*(ask(server.port, context=context) for _ in range(60))), 60)
        assert {one.status for one in found} == {200}
        await until(lambda: server.assembly.front.open_count == 0)


async def test_a_few_handshakes_begin_in_each_turn(made: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = [0]
    connect = Arrival.connect

    def counted(self: Arrival) -> bool:
        begun[-1] += 1
        return connect(self)

    monkeypatch.setattr(Arrival, "connect", counted)
    async with running_server(ssl=tls_settings(made)) as server:
        clients = [asyncio.create_task(ask(server.port, context=trusting(made))) for _ in range(50)]
        while not all(client.done() for client in clients):
            await asyncio.sleep(0)
            begun.append(0)
        await asyncio.gather(*clients)
    assert sum(begun) == 50
    assert max(begun) <= 8


async def test_fewer_handshakes_begin_while_turns_are_long(made: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    # Every turn is too long.
    monkeypatch.setattr(door, "_LONG_TURN", 0.0)
    async with running_server(ssl=tls_settings(made)) as server:
        found = await asyncio.gather(*(ask(server.port, context=trusting(made)) for _ in range(20)))
        assert {one.status for one in found} == {200}
        opened = server.assembly.server._listening.door
        assert opened is not None
        assert opened._share == 1


async def test_where_there_is_no_room_nobody_comes_in(made: Certificate) -> None:
    async with running_server(ssl=tls_settings(made)) as server:
        front = server.assembly.front
        async with TlsClient(server.port, trusting(made)):
            front.room.most = 1
            async with streams(server.port) as connection:
                assert await is_dropped(connection)
            assert front.room.refused == 1
            front.room.most = 2
            # The last place is one, although the socket was counted while it shook hands.
            assert (await ask(server.port, context=trusting(made))).status == 200


async def test_a_door_without_room_for_files_opens_again(made: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "_PAUSE", 0.05)
    async with running_server(ssl=tls_settings(made)) as server:
        opened = server.assembly.server._listening.door
        assert opened is not None
        real, failures = opened._listening[0], 2

        class Full:
            """A socket that cannot accept twice."""

            def accept(self) -> object:
                nonlocal failures
                if failures:
                    failures -= 1
                    raise OSError(24, "Too many open files")
                return real.accept()

            def fileno(self) -> int:
                return real.fileno()

            def close(self) -> None:
                real.close()

        opened._unwatch()
        opened._listening[:] = [Full()]  # type: ignore[list-item]  # what a door needs of a socket
        opened._watch(opened._listening[0])
        assert (await asyncio.wait_for(ask(server.port, context=trusting(made)), 2 * WAIT)).status == 200
        assert failures == 0


async def test_without_tls_and_proxies_sockets_speak_http_at_once() -> None:
    async with running_server() as server:
        assert server.assembly.server._listening.door is None
        # Not even a header is looked for.
        assert (await ask(server.port, line("203.0.113.9") + get())).status == 400


@pytest.mark.skipif(not CAN_BALANCE, reason="only there are sockets set aside")
async def test_sockets_that_were_set_aside_accept_again(made: Certificate) -> None:
    ((listening,),) = open_listeners("127.0.0.1", free_port(), 1, balanced=True)
    set_aside((listening,))
    async with running_server(sockets=[listening], ssl=tls_settings(made)) as server:
        assert (await ask(server.port, context=trusting(made))).status == 200
