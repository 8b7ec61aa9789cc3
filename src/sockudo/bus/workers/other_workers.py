"""Finds the other workers in the directory, dials them, and dials again when a connection breaks."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Protocol

from sockudo.bus.workers.connections import Feed
from sockudo.bus.workers.socket_path import SUFFIX, socket_path
from sockudo.log import get_logger

_log = get_logger("sockudo.bus.workers.adapter")

_FIRST_WAIT: Final = 0.05
_LONGEST_WAIT: Final = 2.0


class FeedKeeper(Protocol):
    """The adapter, which takes the connections to the other workers."""

    def new_feed(self, index: int, *, is_awaited: bool) -> Feed:
        """Return the protocol for one more connection."""
        ...

    def feed_opened(self, feed: Feed) -> None:
        """Note a connection."""

    def feed_closed(self, feed: Feed) -> None:
        """Note that a connection is gone."""

    def changed(self) -> None:
        """Note that a worker was dialled or is gone."""


class OtherWorker:
    """Another worker, for as long as its socket is in the directory.

    Attributes:
        feed: the connection to it, if there is one now.
        is_tried: whether it has been dialled, with or without success.
    """

    __slots__ = ("_is_called", "_owner", "_path", "feed", "index", "is_tried", "task")

    def __init__(self, index: int, path: Path, owner: FeedKeeper, forget: Callable[[int], None]) -> None:
        self.index = index
        self.feed: Feed | None = None
        self.is_tried = False
        self._path = path
        self._owner = owner
        self._is_called = asyncio.Event()
        self.task = asyncio.get_running_loop().create_task(self._keep())
        self.task.add_done_callback(lambda _: forget(index))

    def call(self) -> None:
        """Dial now, because the other worker has just dialled this one."""
        self._is_called.set()

    async def _keep(self) -> None:
        """Keep a connection until the socket is gone from the directory."""
        wait, is_awaited = _FIRST_WAIT, True
        while True:
            try:
                feed = await self._dial(is_awaited=is_awaited)
            except FileNotFoundError:
                return
            except OSError:
                # A worker that died has left the file behind, or is busy. A new worker replaces the file.
                is_awaited = True
            else:
                await self._hear(feed)
                # A worker that accepts and sends nothing is stuck, and not awaited until it has answered.
                is_awaited = feed.is_greeted
                wait = _FIRST_WAIT if feed.is_greeted else wait
            self.is_tried = True
            self._owner.changed()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._is_called.wait(), wait)
            self._is_called.clear()
            wait = min(2 * wait, _LONGEST_WAIT)

    async def _dial(self, *, is_awaited: bool) -> Feed:
        loop = asyncio.get_running_loop()
        feed = self._owner.new_feed(self.index, is_awaited=is_awaited)
        await loop.create_unix_connection(lambda: feed, str(self._path))
        self._is_called.clear()
        return feed

    async def _hear(self, feed: Feed) -> None:
        self.feed, self.is_tried = feed, True
        self._owner.feed_opened(feed)
        try:
            await feed.ended
        finally:
            self.feed = None
            self._owner.feed_closed(feed)
            feed.drop("")
        if feed.reason:
            _log.warning("workers bus: connection to a worker dropped", peer=self.index, reason=feed.reason)


class OtherWorkers:
    """All other workers."""

    def __init__(self, directory: Path, own_index: int, owner: FeedKeeper) -> None:
        self._directory = directory
        self._own_index = own_index
        self._owner = owner
        self._others: dict[int, OtherWorker] = {}

    def __iter__(self) -> Iterator[OtherWorker]:
        return iter(self._others.values())

    def scan(self) -> None:
        """Dial workers that are new in the directory."""
        for name in os.listdir(self._directory):
            stem, dot, rest = name.partition(SUFFIX)
            if dot and not rest and stem.isascii() and stem.isdigit():
                self._find(int(stem))

    def call(self, index: int) -> None:
        """Dial a worker that has just dialled this one, unless there is a connection already."""
        peer = self._find(index)
        if peer is not None and peer.feed is None:
            peer.call()

    async def close(self) -> None:
        """Close every connection."""
        tasks = [peer.task for peer in self]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _find(self, index: int) -> OtherWorker | None:
        if index == self._own_index:
            return None
        peer = self._others.get(index)
        if peer is None:
            path = socket_path(self._directory, index)
            self._others[index] = peer = OtherWorker(index, path, self._owner, self._forget)
        return peer

    def _forget(self, index: int) -> None:
        self._others.pop(index, None)
        self._owner.changed()
