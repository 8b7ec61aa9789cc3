"""The connections between the workers of one machine: the asyncio side of `wire.py`.

Each worker dials every other and hears it over that connection, so between two workers there are two, one for each
direction. What a worker has joined is known to the other side for as long as the connection lives and no longer: there
is nothing to clean up or to compare after one breaks.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol, cast

from sockudo.bus.workers import wire as wire

# What is gathered in a tick beyond this leaves before the tick ends, so that copies stay small.
_GATHERED: Final = 256 * 1024


class Outgoing:
    """Collects the connections that have something to send and flushes them once in the next tick of the loop."""

    def __init__(self, max_unsent_bytes: int) -> None:
        self.max_unsent_bytes = max_unsent_bytes
        # Connections that were dropped because the other side did not read.
        self.overflows = 0
        self._dirty: list[WorkerConnection] = []

    def mark(self, connection: WorkerConnection) -> None:
        """Let a connection be flushed."""
        if not self._dirty:
            asyncio.get_running_loop().call_soon(self.flush)
        connection.is_marked = True
        self._dirty.append(connection)

    def flush(self) -> None:
        """Send what was gathered, each connection in one write."""
        dirty, self._dirty = self._dirty, []
        for connection in dirty:
            connection.is_marked = False
            connection.flush()


class WorkerConnection(asyncio.Protocol):
    """One connection, either direction: frames in, gathered frames out.

    Attributes:
        index: the worker at the other end; None until it has said so.
        ended: done when the connection is gone.
        reason: why it was dropped; empty where the other worker has left or died.
        is_marked: whether it is among those to flush at the end of the tick.
    """

    __slots__ = ("_gathered", "_out", "_outgoing", "_reader", "_transport", "ended", "index", "is_marked", "reason")

    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing
        self._reader = wire.Reader()
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._gathered = 0
        self.index: int | None = None
        self.is_marked = False
        self.reason = ""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not instances of asyncio's class.
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._out.clear()
        if not self.ended.done():
            self.ended.set_result(None)

    def data_received(self, data: bytes) -> None:
        try:
            self.handle(self._reader.feed(data))
        except (wire.WireError, UnicodeDecodeError) as error:
            self.drop(str(error))

    def handle(self, frames: list[wire.Frame]) -> None:
        """Act on frames."""
        raise NotImplementedError

    def send(self, *parts: bytes) -> None:
        """Send bytes at the end of this tick."""
        # hot path
        if not self.is_marked:
            self._outgoing.mark(self)
        for part in parts:
            self._out.append(part)
            self._gathered += len(part)
        if self._gathered > _GATHERED:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered; a peer that leaves too much unread is dropped."""
        # hot path
        out, transport = self._out, self._transport
        if not out:
            return
        if transport is not None and not transport.is_closing():
            if transport.get_write_buffer_size() > self._outgoing.max_unsent_bytes:
                self._outgoing.overflows += 1
                self.drop("it does not read what is sent to it")
            else:
                transport.write(b"".join(out))
        out.clear()
        self._gathered = 0

    def drop(self, reason: str) -> None:
        """End the connection at once."""
        self._out.clear()
        self.reason = self.reason or reason
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """End the connection when everything has been sent."""
        self.flush()
        if self._transport is not None:
            self._transport.close()


class Speaker(Protocol):
    """What listeners are told to: the worker that publishes."""

    index: int

    def greeted(self, listener: Listener) -> None:
        """Note who a listener is."""

    def join(self, listener: Listener, name: bytes) -> None:
        """Let a listener hear a topic."""

    def leave(self, listener: Listener, name: bytes) -> None:
        """Keep a topic from a listener."""

    def synced(self, listener: Listener) -> None:
        """Note that a listener has said what it wants to hear."""

    def forget(self, listener: Listener) -> None:
        """Note that a listener is gone."""


class Listener(WorkerConnection):
    """Another worker that hears this one: it has dialled, joins topics and is sent messages.

    Attributes:
        topics: what it has joined.
        is_synced: whether it has said everything that it had joined before it dialled.
    """

    __slots__ = ("_speaker", "is_synced", "topics")

    def __init__(self, speaker: Speaker, outgoing: Outgoing) -> None:
        super().__init__(outgoing)
        self._speaker = speaker
        self.topics: set[str] = set()
        self.is_synced = False

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._speaker.forget(self)

    def handle(self, frames: list[wire.Frame]) -> None:
        for kind, name, data in frames:
            if kind == wire.HELLO:
                self.index = wire.index_of(data)
                self.send(wire.hello(self._speaker.index))
                self._speaker.greeted(self)
            elif self.index is None:
                raise wire.WireError("a worker that does not say who it is")
            elif kind == wire.JOIN:
                self._speaker.join(self, name)
            elif kind == wire.LEAVE:
                self._speaker.leave(self, name)
            elif kind == wire.SYNC:
                self.send(wire.numbered(wire.DONE, wire.number_of(data)))
                self.is_synced = True
                self._speaker.synced(self)


class Ears(Protocol):
    """What feeds tell: the worker that listens."""

    def message(self, name: bytes, data: bytes) -> None:
        """Take a message."""

    def done(self, feed: Feed, number: int) -> None:
        """Note that the other worker has done everything that was asked before a question."""


class Feed(WorkerConnection):
    """What this worker hears from another one: it has dialled, joins topics and is sent messages.

    Attributes:
        is_greeted: whether the other worker has answered, so that it is known to live.
        is_awaited: whether a topic counts as joined only when the other worker knows. One that is stuck must not keep
            everybody else from joining, so one that has not answered in time is not waited for until it does.
    """

    __slots__ = ("_ears", "is_awaited", "is_greeted")

    def __init__(self, index: int, outgoing: Outgoing, ears: Ears, *, is_awaited: bool) -> None:
        super().__init__(outgoing)
        self.index = index
        self.is_greeted = False
        self.is_awaited = is_awaited
        self._ears = ears

    def handle(self, frames: list[wire.Frame]) -> None:
        # hot path
        message = self._ears.message
        for kind, name, data in frames:
            if kind == wire.MESSAGE:
                message(name, data)
            elif kind == wire.DONE:
                self._ears.done(self, wire.number_of(data))
            elif kind == wire.HELLO:
                if wire.index_of(data) != self.index:
                    raise wire.WireError("the socket of another worker")
                self.is_greeted = self.is_awaited = True
