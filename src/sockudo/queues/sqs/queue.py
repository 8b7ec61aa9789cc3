"""The queue in Amazon SQS: it outlives the processes that use it.

A job is in SQS from the moment it is accepted until its handler has returned. In a FIFO queue a lane is a message
group, so SQS keeps its order; another queue promises no order.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection
from hashlib import sha256
from typing import Final

from sockudo.errors import DriverError
from sockudo.queues.backlog import BacklogBounds
from sockudo.queues.base import FailedJob, Handler, QueueCounts
from sockudo.queues.sqs.client import SqsClient
from sockudo.queues.sqs.consumer import Consumer
from sockudo.queues.sqs.failed import FailedList
from sockudo.queues.sqs.options import SqsQueueOptions
from sockudo.queues.sqs.records import MAX_MESSAGE_BYTES, Record, new_job, write
from sockudo.queues.sqs.store import BATCH, MessageStore, NewMessage
from sockudo.queues.stored import StoredQueue
from sockudo.timing.clock import Clock

# Failed jobs are kept for the longest time that SQS allows.
_FAILED_KEPT: Final = str(14 * 24 * 3600)


class SqsQueue(StoredQueue):
    """Lanes in SQS."""

    def __init__(self, clock: Clock, options: SqsQueueOptions) -> None:
        # One at a time in a queue with order: of several, SQS may take the last and not the first.
        batch = 1 if options.section.fifo else BATCH
        bounds = BacklogBounds(options.max_waiting, options.max_waiting_bytes, batch, MAX_MESSAGE_BYTES)
        super().__init__("SQS", clock, bounds, options.max_job_bytes)
        self._options = options
        self._client = SqsClient(options)
        hidden = {"VisibilityTimeout": str(options.section.visibility_timeout)}
        self._jobs = MessageStore(self._client, options, options.name, hidden)
        kept = {"MessageRetentionPeriod": _FAILED_KEPT}
        self._failed_jobs = MessageStore(self._client, options, options.failed_name, kept)
        self._failed = FailedList(self._failed_jobs, clock)
        # Tells the pushes of this process from those of others.
        self._producer = os.urandom(8).hex()
        # Numbers of the messages that SQS has taken of unfinished batches.
        self._taken: set[int] = set()
        self._consumer: Consumer | None = None

    async def start(self, handler: Handler) -> None:
        """As in `Queue`."""
        await self._connect()
        self._consumer = Consumer(self._jobs, self._failed, handler, self._options, self._clock)
        self._backlog.start()

    async def failed(self, limit: int) -> list[FailedJob]:
        """As in `Queue`."""
        await self._connect()
        return await self._failed.last(limit) if limit > 0 else []

    async def retry(self, ids: Collection[str] | None) -> int:
        """As in `Queue`."""
        await self._connect()
        return await self._failed.take(None if ids is None else frozenset(ids), self._requeue)

    async def counts(self) -> QueueCounts:
        """As in `Queue`."""
        await self._connect()
        depth, failed = await asyncio.gather(self._jobs.size(), self._failed_jobs.size())
        consumer = self._consumer
        return self._counts(depth, None if consumer is None else consumer.oldest, failed, consumer)

    def _record(self, lane: str, job: bytes) -> bytes:
        return write(new_job(lane, job, self._clock.now())).encode()

    async def _reach(self) -> None:
        await self._client.start()
        try:
            await self._jobs.find()
            await self._failed_jobs.find()
        except BaseException:
            await self._client.aclose()
            raise

    async def _check_store(self) -> None:
        await self._jobs.check()

    async def _finish(self) -> None:
        if self._consumer is not None:
            await self._consumer.finish()

    async def _stop(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.aclose()

    async def _disconnect(self) -> None:
        await self._client.aclose()

    async def _send(self, lane: str, first: int, records: list[bytes]) -> None:
        numbers = [number for number in range(first, first + len(records)) if number not in self._taken]
        group = self._group(lane)
        refused_places = await self._jobs.send(
            [NewMessage(records[number - first].decode(), group, f"{self._producer}-{number}") for number in numbers]
        )
        if refused_places:
            self._taken.update(number for place, number in enumerate(numbers) if place not in refused_places)
            raise DriverError("SQS does not take every message")
        self._taken.difference_update(range(first, first + len(records)))
        if self._consumer is not None:
            self._consumer.wake()

    async def _requeue(self, failed: Record, key: str) -> None:
        job = write(new_job(failed.lane, failed.body, self._clock.now()))
        if await self._jobs.send([NewMessage(job, self._group(failed.lane), key)]):
            raise DriverError("SQS does not take a job that failed before")
        if self._consumer is not None:
            self._consumer.wake()

    def _group(self, lane: str) -> str:
        """Return the message group of a lane, which can be any text, in the characters that SQS allows."""
        name = sha256(lane.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return f"{self._options.section.message_group_id or ''}:{name}"
