"""The bus between the workers of one machine: unix sockets in a directory, and no broker.

Every worker listens on `<directory>/<index>.sock` and dials every other. A worker writes a message only to workers that
have joined its topic; publishing to a topic that no other worker has joined costs a look-up. Nothing is encoded twice:
the bytes that arrive are those that were published.

This bus cannot be lost: a worker works alone too, and one that dies takes only itself away.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sockudo.bus.base import Inbox
from sockudo.bus.workers import wire as wire
from sockudo.bus.workers.connections import Feed, Listener, WorkerFlusher
from sockudo.bus.workers.other_workers import OtherWorkers
from sockudo.bus.workers.socket_path import socket_path
from sockudo.bus.workers.topics import Topics
from sockudo.errors import DriverError
from sockudo.log import get_logger

_log = get_logger("sockudo.bus.workers.adapter")

_BACKLOG: Final = 128


@dataclass(frozen=True, slots=True)
class IpcOptions:
    """Limits and times, which tests and odd machines may change.

    Attributes:
        max_unsent_bytes: the most unsent bytes for a worker; beyond it its connection is dropped and made anew.
        scan_seconds: how often the directory is read for new workers, which also dial by themselves.
        answer_seconds: a worker that owes an answer for longer is stuck: its connection is made anew.
        settle_seconds: how long a start waits for the other workers to listen, and a stop for them to read.
    """

    max_unsent_bytes: int = 64 * 1024 * 1024
    scan_seconds: float = 1.0
    answer_seconds: float = 5.0
    settle_seconds: float = 5.0


class Audience:
    """The workers that have joined one topic."""

    __slots__ = ("listeners", "name")

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.listeners: list[Listener] = []


class IpcAdapter:
    """An `Adapter` among the workers that share a directory. Each has an index of its own.

    Attributes:
        dropped: messages that were published while the adapter was closed, or are too large for the wire.
        inbox, names: as in `Ears`.
    """

    def __init__(self, directory: Path, index: int, options: IpcOptions | None = None) -> None:
        self.index = index
        self.dropped = 0
        self._directory = directory
        self._options = options or IpcOptions()
        self.inbox: Inbox | None = None
        self._flusher = WorkerFlusher(self._options.max_unsent_bytes)
        self._topics = Topics()
        self.names = self._topics.names
        self._others = OtherWorkers(directory, index, self)
        self._listeners: set[Listener] = set()
        self._audiences: dict[str, Audience] = {}
        self._server: asyncio.Server | None = None
        self._scan: asyncio.TimerHandle | None = None
        self._change = asyncio.Event()

    # The adapter

    @property
    def is_connected(self) -> bool:
        """Whether this worker listens."""
        return self.inbox is not None

    @property
    def peers(self) -> int:
        """The number of other workers that this one receives from."""
        return sum(1 for peer in self._others if peer.feed is not None)

    @property
    def overflows(self) -> int:
        """The number of connections that were dropped because the other worker did not read."""
        return self._flusher.overflows

    async def start(self, inbox: Inbox) -> None:
        """Listen, and wait until the other workers receive from this one.

        Raises:
            DriverError: the worker cannot listen on its socket.
        """
        listening = _listen(self._directory, self.index)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(self._new_listener, sock=listening, backlog=_BACKLOG)
        self.inbox = inbox
        # A worker that starts after this finds the socket; the scan now finds one that was there before.
        self._look_around()
        try:
            async with asyncio.timeout(self._options.settle_seconds):
                while not self._is_settled():
                    self._change.clear()
                    await self._change.wait()
        except TimeoutError:
            _log.warning("workers bus: a worker does not answer", heard=self.peers)

    def publish(self, topic: str, data: bytes) -> None:
        """Send `data` to the workers on `topic`."""
        # hot path
        audience = self._audiences.get(topic)
        if self.inbox is None:
            self.dropped += 1
        elif audience is not None:
            if len(data) > wire.MAX_FRAME_BYTES // 2:
                self.dropped += 1
                return
            head = wire.head(wire.MESSAGE, audience.name, len(data))
            for listener in audience.listeners:
                listener.send(head, data)

    def subscribe(self, topic: str) -> asyncio.Future[None]:
        """Join a topic, or catch up with it; confirmed when every connected worker has answered."""
        return self._topics.join(topic)

    def unsubscribe(self, topic: str) -> None:
        """Leave a topic."""
        self._topics.leave(topic)

    async def aclose(self) -> None:
        """Send what was published, and leave."""
        if self.inbox is None:
            return
        self.inbox = None
        if self._scan is not None:
            self._scan.cancel()
        # The socket's name goes first, so that no worker dials one that leaves.
        with contextlib.suppress(OSError):
            socket_path(self._directory, self.index).unlink()
        if self._server is not None:
            self._server.close()
        self._topics.close()
        await self._others.close()
        await self._close_listeners()

    # Called by the connections

    def done(self, feed: Feed, number: int) -> None:
        """Take an answer from a feed."""
        self._topics.answered(feed, number)

    def new_feed(self, index: int, *, is_awaited: bool) -> Feed:
        """Return the protocol for a connection to another worker."""
        return Feed(index, self._flusher, self, is_awaited=is_awaited)

    def feed_opened(self, feed: Feed) -> None:
        """Tell another worker which topics this one has joined."""
        self._topics.add(feed, wire.hello(self.index))

    def feed_closed(self, feed: Feed) -> None:
        """Stop waiting for answers of another worker."""
        self._topics.remove(feed)

    def greeted(self, listener: Listener) -> None:
        """Note which worker dialled. A worker has one connection, so an older one is dead and is dropped."""
        assert listener.index is not None
        for other in self._listeners:
            if other is not listener and other.index == listener.index:
                other.drop("dialled again")
        self._others.call(listener.index)

    def join(self, listener: Listener, name: bytes) -> None:
        """Send the messages of a topic to another worker from now on."""
        topic = name.decode()
        if topic not in listener.topics:
            listener.topics.add(topic)
            audience = self._audiences.get(topic)
            if audience is None:
                self._audiences[topic] = audience = Audience(name)
            audience.listeners.append(listener)

    def leave(self, listener: Listener, name: bytes) -> None:
        """Stop sending the messages of a topic to another worker."""
        topic = name.decode()
        if topic in listener.topics:
            listener.topics.remove(topic)
            self._remove(listener, topic)

    def synced(self, listener: Listener) -> None:
        """Note that another worker has named all its topics."""
        self._change.set()

    def forget(self, listener: Listener) -> None:
        """Send nothing more to a worker that is gone."""
        self._listeners.discard(listener)
        for topic in listener.topics:
            self._remove(listener, topic)
        listener.topics.clear()
        if listener.reason:
            _log.warning("workers bus: connection of a worker dropped", peer=listener.index, reason=listener.reason)
        self._change.set()

    def changed(self) -> None:
        """Note that a worker was dialled or is gone."""
        self._change.set()

    # Parts

    def _new_listener(self) -> Listener:
        listener = Listener(self, self._flusher)
        self._listeners.add(listener)
        return listener

    def _remove(self, listener: Listener, topic: str) -> None:
        audience = self._audiences[topic]
        audience.listeners.remove(listener)
        if not audience.listeners:
            del self._audiences[topic]

    def _look_around(self) -> None:
        self._scan = asyncio.get_running_loop().call_later(self._options.scan_seconds, self._look_around)
        for feed in self._topics.overdue(self._options.answer_seconds):
            feed.is_awaited = False
            feed.is_greeted = False
            feed.drop("it does not answer")
        try:
            self._others.scan()
        except OSError as error:
            _log.warning("workers bus: directory unreadable", reason=str(error))

    def _is_settled(self) -> bool:
        """Whether every worker that the scan found is connected in both directions, or is gone."""
        heard_by = {listener.index for listener in self._listeners if listener.is_synced}
        return all(peer.is_tried and (peer.feed is None or peer.index in heard_by) for peer in self._others)

    async def _close_listeners(self) -> None:
        self._flusher.flush()
        ends = [listener.ended for listener in self._listeners]
        for listener in tuple(self._listeners):
            listener.close()
        if ends:
            await asyncio.wait(ends, timeout=self._options.settle_seconds)
        for listener in tuple(self._listeners):
            listener.drop("it does not read what is sent to it")


def _listen(directory: Path, index: int) -> socket.socket:
    """Listen on the socket of a worker; replace the file of one that has died."""
    path = socket_path(directory, index)
    # The socket is bound under another name and moved when it listens, so that no worker finds it before it answers.
    unready = path.with_suffix(".new")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        _check_unused(path)
        unready.unlink(missing_ok=True)
        listening.bind(str(unready))
        listening.listen(_BACKLOG)
        os.replace(unready, path)
    except OSError as error:
        listening.close()
        # This includes a path that is longer than a socket's address may be.
        raise DriverError(f"the bus of the workers (workers) cannot listen on {path}: {error}") from error
    return listening


def _check_unused(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return
        except BlockingIOError:
            pass
    raise FileExistsError("another worker listens there")
