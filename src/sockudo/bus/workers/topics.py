"""Keeps the topics that one worker has joined, and which other workers have confirmed each join."""

from __future__ import annotations

import asyncio
import time

from sockudo.bus.workers import wire as wire
from sockudo.bus.workers.connections import Feed


class Batch:
    """The joins of one tick; one question to each worker confirms them together."""

    __slots__ = ("_waiters", "asked_at", "is_done", "missing")

    def __init__(self) -> None:
        self.is_done = False
        self.asked_at = 0.0
        # The workers that have not answered yet.
        self.missing: set[Feed] = set()
        self._waiters: list[asyncio.Future[None]] = []

    def wait(self) -> asyncio.Future[None]:
        """Return a future of the caller's own, which it may cancel."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.is_done:
            waiter.set_result(None)
        else:
            self._waiters.append(waiter)
        return waiter

    def answered(self, feed: Feed) -> bool:
        """Stop waiting for a worker; return whether it was the last."""
        self.missing.discard(feed)
        if self.missing:
            return False
        self.finish()
        return True

    def finish(self) -> None:
        """Confirm the topics."""
        self.is_done = True
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()


class Topics:
    """The joined topics, which every feed is told.

    Attributes:
        names: encoded name -> topic, for messages that arrive.
    """

    def __init__(self) -> None:
        self.names: dict[bytes, str] = {}
        self._batches: dict[str, Batch] = {}
        self._feeds: set[Feed] = set()
        self._current: Batch | None = None
        self._asked: dict[int, Batch] = {}
        self._number = 0

    def add(self, feed: Feed, greeting: bytes) -> None:
        """Send all joined topics to a new feed."""
        self._feeds.add(feed)
        joins = [wire.frame(wire.JOIN, name) for name in self.names]
        feed.send(b"".join([greeting, *joins, wire.numbered(wire.SYNC, 0)]))

    def remove(self, feed: Feed) -> None:
        """Stop waiting for a feed that is gone."""
        self._feeds.discard(feed)
        for number, batch in tuple(self._asked.items()):
            if batch.answered(feed):
                del self._asked[number]

    def join(self, topic: str) -> asyncio.Future[None]:
        """Join a topic, or catch up with it; see `Adapter.subscribe`."""
        batch = self._batches.get(topic)
        if batch is not None:
            # Every worker answers behind the messages that it had sent before.
            return (self._current or self._new_batch() if batch.is_done else batch).wait()
        self._batches[topic] = batch = self._current or self._new_batch()
        name = topic.encode()
        self.names[name] = topic
        self._send_to_all(wire.frame(wire.JOIN, name))
        return batch.wait()

    def leave(self, topic: str) -> None:
        """Leave a topic."""
        if self._batches.pop(topic, None) is not None:
            name = topic.encode()
            del self.names[name]
            self._send_to_all(wire.frame(wire.LEAVE, name))

    def answered(self, feed: Feed, number: int) -> None:
        """Note an answer."""
        batch = self._asked.get(number)
        if batch is not None and batch.answered(feed):
            del self._asked[number]

    def overdue(self, seconds: float) -> set[Feed]:
        """Return the feeds that have owed an answer for more than `seconds`."""
        before = time.monotonic() - seconds
        return {feed for batch in self._asked.values() if batch.asked_at < before for feed in batch.missing}

    def close(self) -> None:
        """Confirm all open joins: nothing more will arrive, so nothing is missed."""
        for batch in self._asked.values():
            batch.finish()
        self._asked.clear()
        if self._current is not None:
            self._current.finish()

    def _send_to_all(self, frame: bytes) -> None:
        for feed in self._feeds:
            feed.send(frame)

    def _new_batch(self) -> Batch:
        batch = Batch()
        if not any(feed.is_awaited for feed in self._feeds):
            batch.finish()
            return batch
        self._current = batch
        # Scheduled before the first topic is sent, so that the question mostly leaves in the same write.
        asyncio.get_running_loop().call_soon(self._ask)
        return batch

    def _ask(self) -> None:
        batch, self._current = self._current, None
        if batch is None:
            return
        self._number += 1
        batch.asked_at = time.monotonic()
        batch.missing = {feed for feed in self._feeds if feed.is_awaited}
        if not batch.missing:
            batch.finish()
            return
        self._asked[self._number] = batch
        question = wire.numbered(wire.SYNC, self._number)
        for feed in batch.missing:
            feed.send(question)
