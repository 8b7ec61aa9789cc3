"""What one connection between workers writes, and when."""

from __future__ import annotations

import asyncio

from sockudo.bus.workers import wire as wire
from sockudo.bus.workers.connections import WorkerConnection, WorkerFlusher


class RecordingTransport(asyncio.Transport):
    """Remembers each write; can be told that nothing is read at the other end."""

    def __init__(self, unread: int = 0) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.unread = unread
        self.is_aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        return self.unread

    def is_closing(self) -> bool:
        return self.is_aborted

    def abort(self) -> None:
        self.is_aborted = True


async def test_what_is_sent_in_one_tick_leaves_in_one_write() -> None:
    connection, transport = WorkerConnection(WorkerFlusher(1000)), RecordingTransport()
    connection.connection_made(transport)
    connection.send(b"a", b"b")
    connection.send(b"c")
    assert transport.writes == []
    await asyncio.sleep(0)
    connection.send(b"d")
    await asyncio.sleep(0)
    assert transport.writes == [b"abc", b"d"]


async def test_many_connections_are_flushed_together() -> None:
    flusher = WorkerFlusher(1000)
    connections = [(WorkerConnection(flusher), RecordingTransport()) for _ in range(3)]
    for connection, transport in connections:
        connection.connection_made(transport)
        connection.send(b"x")
    await asyncio.sleep(0)
    assert [transport.writes for _, transport in connections] == [[b"x"]] * 3


async def test_too_much_to_gather_leaves_within_the_tick_in_order() -> None:
    connection, transport = WorkerConnection(WorkerFlusher(10**9)), RecordingTransport()
    connection.connection_made(transport)
    parts = [b"%06d" % number * 1000 for number in range(100)]
    for part in parts:
        connection.send(part)
    assert 1 <= len(transport.writes) < 10
    await asyncio.sleep(0)
    assert b"".join(transport.writes) == b"".join(parts)
    connection.send(b"later")
    await asyncio.sleep(0)
    assert transport.writes[-1] == b"later"


async def test_a_peer_with_too_much_unread_is_dropped_once() -> None:
    flusher = WorkerFlusher(1000)
    connection, transport = WorkerConnection(flusher), RecordingTransport(unread=1001)
    connection.connection_made(transport)
    connection.send(b"x")
    await asyncio.sleep(0)
    connection.send(b"y")
    await asyncio.sleep(0)
    assert (transport.writes, transport.is_aborted, flusher.overflows) == ([], True, 1)
    assert connection.reason == "it does not read what is sent to it"


async def test_one_message_above_the_bound_is_sent_when_nothing_waits() -> None:
    flusher = WorkerFlusher(10)
    connection, transport = WorkerConnection(flusher), RecordingTransport(unread=10)
    connection.connection_made(transport)
    connection.send(bytes(1000))
    await asyncio.sleep(0)
    assert (transport.writes, flusher.overflows) == ([bytes(1000)], 0)


async def test_messages_to_a_peer_that_is_gone_are_forgotten() -> None:
    connection = WorkerConnection(WorkerFlusher(10))
    connection.connection_made(RecordingTransport())
    connection.connection_lost(None)
    connection.send(b"x")
    await asyncio.sleep(0)
    assert connection.ended.done()


async def test_bytes_that_are_no_frames_end_the_connection() -> None:
    connection, transport = WorkerConnection(WorkerFlusher(10)), RecordingTransport()
    connection.connection_made(transport)
    connection.data_received(wire.frame(wire.JOIN)[:4] + b"\xff\xff\xff")
    assert transport.is_aborted
