"""The list of failed jobs, which is a queue of SQS of its own.

SQS shows messages by giving them out. So whoever reads the list hides it from others until it has been read, and its
order is that of the times in it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from sockudo.errors import DriverError
from sockudo.log import get_logger
from sockudo.queues.base import FailedJob
from sockudo.queues.sqs.records import Record, read, write
from sockudo.queues.sqs.store import BATCH, Message, MessageStore, Outgoing
from sockudo.timing.clock import Clock

_HIDDEN: Final = 60
"""How long the list is hidden from others if its reader dies (seconds)."""
_PATIENCE: Final = 1
"""How long SQS looks for more of it (seconds); without any, it would not look everywhere."""
_MOST_READ: Final = 10_000
_MOST_BYTES: Final = 64 * 1024 * 1024

_log = get_logger("queue")


class FailedList:
    """Jobs that were given up. SQS keeps them for as long as its queue says, which is 14 days where we made it."""

    def __init__(self, store: MessageStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def add(self, failed: Record) -> None:
        """Append a job. Of a job that is appended again within minutes a FIFO queue keeps one."""
        # Each in a group of its own, so that reading one hides none behind it.
        if await self._store.send([Outgoing(write(failed), failed.id, failed.id)]):
            raise DriverError("SQS does not take a failed job")

    async def last(self, limit: int) -> list[FailedJob]:
        """Return at most so many of those that failed last, the newest last."""
        async with self._reading() as found:
            jobs = sorted((record.as_failed_job() for _, record in found), key=lambda job: job.failed_at)
        return jobs[-limit:]

    async def take(self, wanted: frozenset[str] | None, requeue: Callable[[Record, str], Awaitable[None]]) -> int:
        """Move jobs elsewhere, the oldest first.

        Args:
            wanted: their ids; None for all.
            requeue: puts one into its new place, where a second one with the same text can be told to be the same.
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
        """Give what is in the list, and show the others what is still in it afterwards."""
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
