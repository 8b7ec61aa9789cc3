"""The list of failed jobs, which is an SQS queue of its own.

SQS shows messages by giving them out. So a reader hides the list from others until it has read it, and the order of the
list is that of its times.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from sockudo.errors import DriverError
from sockudo.log import get_logger
from sockudo.queues.base import FailedJob
from sockudo.queues.sqs.records import Record, read, write
from sockudo.queues.sqs.store import BATCH, Message, MessageStore, NewMessage
from sockudo.timing.clock import Clock

_HIDDEN: Final = 60
"""How long the list is hidden from others if its reader dies (seconds)."""
_PATIENCE: Final = 1
"""How long SQS looks for more messages (seconds); without a wait, it would not look everywhere."""
_MOST_READ: Final = 10_000
_MOST_BYTES: Final = 64 * 1024 * 1024

_log = get_logger("queue")


class FailedList:
    """Failed jobs. SQS keeps them as long as the queue says: 14 days if this server made it."""

    def __init__(self, store: MessageStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def add(self, failed: Record) -> None:
        """Append a job. A FIFO queue keeps one copy if the same job is appended again within minutes."""
        # Each in a group of its own, so that reading one hides none behind it.
        if await self._store.send([NewMessage(write(failed), failed.id, failed.id)]):
            raise DriverError("SQS does not take a failed job")

    async def last(self, limit: int) -> list[FailedJob]:
        """Return at most `limit` of the jobs that failed last, the newest last."""
        async with self._reading() as found:
            jobs = sorted((record.as_failed_job() for _, record in found), key=lambda job: job.failed_at)
        return jobs[-limit:]

    async def take(self, wanted: frozenset[str] | None, requeue: Callable[[Record, str], Awaitable[None]]) -> int:
        """Move jobs elsewhere, the oldest first.

        Args:
            wanted: their ids; None for all.
            requeue: puts a job into its new place; the text is a key by which a second copy is recognised.
        """
        done = 0
        async with self._reading() as found:
            for message, record in sorted(found, key=lambda one: one[1].failed_at):
                if wanted is not None and record.id not in wanted:
                    continue
                await requeue(record, message.id)
                await self._store.delete(message.receipt)
                found.remove((message, record))
                done += 1
        return done

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[list[tuple[Message, Record]]]:
        """Yield the content of the list, and afterwards show the rest of it to other readers."""
        found: list[tuple[Message, Record]] = []
        try:
            await self._read_into(found)
            yield found
        finally:
            try:
                await self._store.hide([(message.receipt, 0) for message, _ in found])
            except DriverError as error:
                _log.warning(
                    "webhook queue: failed jobs stay hidden in SQS for a while", seconds=_HIDDEN, reason=str(error)
                )

    async def _read_into(self, found: list[tuple[Message, Record]]) -> None:
        seen: set[str] = set()
        size = 0
        while len(seen) < _MOST_READ and size < _MOST_BYTES:
            page = await self._store.receive(BATCH, _HIDDEN, _PATIENCE)
            new = [message for message in page if message.id not in seen]
            if not new:
                return
            for message in new:
                seen.add(message.id)
                size += len(message.text)
                found.append((message, read(message.text, message.id, self._clock.now())))
