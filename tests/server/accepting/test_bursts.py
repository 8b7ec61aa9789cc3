"""Many clients at once: more of them are accepted in each turn, until no more come."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from sockudo.server.accepting.bursts import Bursts
from tests.clients.attack import until
from tests.support.waiting import eventually


class Door:
    """Listens through `Bursts`, and keeps the sockets that came.

    Attributes:
        opened: how many times it listened.
        error: what listening fails with, after the first time.
    """

    def __init__(self) -> None:
        self.bound = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.opened = 0
        self.error: OSError | None = None
        self.came: list[asyncio.BaseTransport] = []
        self.bursts = Bursts(self._protocol, self._listen)

    def _protocol(self) -> asyncio.Protocol:
        came = self.came

        class Kept(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                came.append(transport)

        return Kept()

    async def _listen(self, bound: socket.socket, factory: object) -> asyncio.Server:
        if self.opened and self.error is not None:
            raise self.error
        self.opened += 1
        assert factory == self.bursts.protocol
        return await asyncio.get_running_loop().create_server(self.bursts.protocol, sock=bound, backlog=512)

    async def start(self) -> None:
        self.listener = await self._listen(self.bound, self.bursts.protocol)
        self.bursts.bound.append(self.bound)

    async def crowd(self, count: int = 200) -> None:
        """Let so many clients come at once, and wait until all are in."""
        target = len(self.came) + count
        with self.clients(count):
            await until(lambda: len(self.came) == target)

    @contextlib.contextmanager
    def clients(self, count: int) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for _ in range(count):
                stack.enter_context(socket.create_connection(self.bound.getsockname()))
            yield


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    door = Door()
    await door.start()
    yield door
    door.bursts.close()
    door.listener.close()
    for transport in door.came:
        transport.close()
    # Closed handles are freed in the next turns.
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def is_uvloop() -> bool:
    return type(asyncio.get_running_loop()).__module__.startswith("uvloop")


async def test_a_burst_opens_further_listeners(door: Door) -> None:
    await door.crowd()
    if is_uvloop():
        await until(lambda: door.bursts.further_count == 15)
    else:
        assert door.bursts.further_count == 0


async def test_everybody_comes_in_through_all_listeners(door: Door) -> None:
    for _ in range(5):
        await door.crowd()
    assert len(door.came) == 1000


async def test_further_listeners_close_when_it_is_quiet(door: Door) -> None:
    await door.crowd()
    if is_uvloop():
        await until(lambda: door.bursts.further_count == 15)

    async def count() -> int:
        return door.bursts.further_count

    await eventually(count, 0)
    await door.crowd(10)


async def test_single_clients_open_no_further_listeners(door: Door) -> None:
    for _ in range(20):
        await door.crowd(2)
        await asyncio.sleep(0.01)
    assert door.opened == 1


async def test_nothing_listens_after_closing(door: Door) -> None:
    address = door.bound.getsockname()
    await door.crowd()
    door.bursts.close()
    door.listener.close()
    await asyncio.sleep(0.05)
    with pytest.raises(OSError, match="refused"):
        await asyncio.to_thread(socket.create_connection, address)


async def test_a_server_without_room_for_more_serves_with_one(door: Door) -> None:
    door.error = OSError(24, "Too many open files")
    await door.crowd()
    await door.crowd()
    assert door.bursts.further_count == 0
    assert len(door.came) == 400
