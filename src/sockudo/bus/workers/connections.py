"""The connections between the workers of one machine: the asyncio side of `wire.py`.

Each worker dials every other and receives over that connection, so two workers have two connections, one for each
direction. A worker forgets the topics of another one with the connection, so there is nothing to clean up or to compare
after one breaks.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol, cast

from sockudo.bus.base import Inbox
from sockudo.bus.workers import wire as wire

# Bytes of one tick beyond this leave before the tick ends, so that copies stay small.
_GATHERED: Final = 256 * 1024


class WorkerFlusher:
    """Collects the connections that have something to send and flushes them once in the next tick of the loop."""

    def __init__(self, max_unsent_bytes: int) -> None:
        self.max_unsent_bytes = max_unsent_bytes
        # Connections that were dropped because the other side did not read.
        self.overflows = 0
        self._dirty: list[WorkerConnection] = []

    def mark(self, connection: WorkerConnection) -> None:
        """Flush a connection in the next tick."""
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
        index: the worker at the other end; None until its hello has arrived.
        ended: done when the connection is gone.
        reason: why it was dropped; empty where the other worker has left or died.
        is_marked: whether the connection is flushed at the end of the tick.
    """

    __slots__ = ("_flusher", "_gathered", "_out", "_reader", "_transport", "ended", "index", "is_marked", "reason")

    def __init__(self, flusher: WorkerFlusher) -> None:
        self._flusher = flusher
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
            self._flusher.mark(self)
        for part in parts:
            self._out.append(part)
            self._gathered += len(part)
        if self._gathered > _GATHERED:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered; drop the connection if the peer leaves too much unread."""
        # hot path
        out, transport = self._out, self._transport
        if not out:
            return
        if transport is not None and not transport.is_closing():
            if transport.get_write_buffer_size() > self._flusher.max_unsent_bytes:
                self._flusher.overflows += 1
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
    """The worker that publishes, as its listeners call it."""

    index: int

    def greeted(self, listener: Listener) -> None:
        """Note which worker a listener is."""

    def join(self, listener: Listener, name: bytes) -> None:
        """Send the messages of a topic to a listener from now on."""

    def leave(self, listener: Listener, name: bytes) -> None:
        """Stop sending the messages of a topic to a listener."""

    def synced(self, listener: Listener) -> None:
        """Note that a listener has named all its topics."""

    def forget(self, listener: Listener) -> None:
        """Note that a listener is gone."""


class Listener(WorkerConnection):
    """Another worker that receives from this one: it dials, joins topics and receives messages.

    Attributes:
        topics: the topics that it has joined.
        is_synced: whether it has named every topic that it had joined before it dialled.
    """

    __slots__ = ("_speaker", "is_synced", "topics")

    def __init__(self, speaker: Speaker, flusher: WorkerFlusher) -> None:
        super().__init__(flusher)
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
    """The worker that receives, as its feeds call it.

    Attributes:
        inbox: takes messages; None while the worker is closed.
        names: encoded name -> topic, of all joined topics.
    """

    inbox: Inbox | None
    names: dict[bytes, str]

    def done(self, feed: Feed, number: int) -> None:
        """Note that the other worker has handled everything that came before a question."""


class Feed(WorkerConnection):
    """The connection over which this worker receives from another one: it dials, joins topics and receives messages.

    Attributes:
        is_greeted: whether the other worker has answered, and so is alive.
        is_awaited: whether a topic counts as joined only when the other worker has answered. A worker that has not
            answered in time is not awaited until it does, because a stuck one must not keep the others from joining.
    """

    __slots__ = ("_ears", "is_awaited", "is_greeted")

    def __init__(self, index: int, flusher: WorkerFlusher, ears: Ears, *, is_awaited: bool) -> None:
        super().__init__(flusher)
        self.index = index
        self.is_greeted = False
        self.is_awaited = is_awaited
        self._ears = ears

    def handle(self, frames: list[wire.Frame]) -> None:
        # hot path
        ears = self._ears
        for kind, name, data in frames:
            if kind == wire.MESSAGE:
                topic, inbox = ears.names.get(name), ears.inbox
                if topic is not None and inbox is not None:
                    inbox.received(topic, data)
            elif kind == wire.DONE:
                self._ears.done(self, wire.number_of(data))
            elif kind == wire.HELLO:
                if wire.index_of(data) != self.index:
                    raise wire.WireError("the socket of another worker")
                self.is_greeted = self.is_awaited = True
