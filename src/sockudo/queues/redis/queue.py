"""The queue in a Redis, or in the master that sentinels name: it outlives the processes that use it.

A job is in Redis from the moment it is accepted until its handler has returned; no process ever holds the only copy.
`scripts` describes the keys. A Redis Cluster has the same, in several parts.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection
from typing import ClassVar

from sockudo.queues.backlog import BacklogBounds
from sockudo.queues.base import FailedJob, Handler, QueueCounts
from sockudo.queues.redis.lanes import Lanes, Work
from sockudo.queues.redis.options import RedisQueueOptions
from sockudo.queues.redis.records import new_job, read_date, read_failed
from sockudo.queues.redis.shard import Shard, shard_of
from sockudo.queues.stored import StoredQueue
from sockudo.redis_client.client import redis_client
from sockudo.timing.clock import Clock

_PAGE = 100


class RedisQueue(StoredQueue):
    """Lanes in one Redis."""

    shards: ClassVar[int] = 1
    """The number of parts; each part is in one slot of a cluster. A change would change the format."""

    def __init__(self, clock: Clock, options: RedisQueueOptions) -> None:
        bounds = BacklogBounds(options.max_waiting, options.max_waiting_bytes)
        super().__init__("Redis", clock, bounds, options.max_job_bytes)
        self._options = options
        self._client = redis_client(options.place, options.timing)
        self._shards = [Shard(self._client, options, number, self.shards) for number in range(self.shards)]
        # Tells the pushes of this process from those of others.
        self._producer = os.urandom(8).hex().encode()
        self._lanes: list[Lanes] = []
        self._work: Work | None = None

    async def start(self, handler: Handler) -> None:
        """As in `Queue`."""
        await self._connect()
        for shard in self._shards:
            # Missing permissions show now, and not with the first webhook.
            await shard.push("", b"start", 1, ())
            await shard.look(1)
        self._work = Work(handler, self._options, self._clock, self._losses)
        self._lanes = [Lanes(shard, self._work) for shard in self._shards]
        self._backlog.start()

    async def failed(self, limit: int) -> list[FailedJob]:
        """As in `Queue`."""
        await self._connect()
        if limit <= 0:
            return []
        pages = await asyncio.gather(*(shard.failed(-limit, -1) for shard in self._shards))
        jobs = [job for page in pages for job in map(read_failed, page) if job is not None]
        return sorted(jobs, key=lambda job: job.failed_at)[-limit:]

    async def retry(self, ids: Collection[str] | None) -> int:
        """As in `Queue`."""
        await self._connect()
        wanted = None if ids is None else frozenset(ids)
        return sum([await self._retry_in(shard, wanted) for shard in self._shards])

    async def counts(self) -> QueueCounts:
        """As in `Queue`."""
        await self._connect()
        states = [state for shard in self._shards for state in await shard.states()]
        failed = await asyncio.gather(*(shard.failed_size() for shard in self._shards))
        dates = [date for _, head in states if (date := read_date(head)) is not None]
        return self._counts(sum(size for size, _ in states), min(dates, default=None), sum(failed), self._work)

    def _record(self, lane: str, job: bytes) -> bytes:
        return new_job(job, self._clock.now())

    async def _reach(self) -> None:
        await self._client.start()
        self._client.on_restored = self._restored

    async def _check_store(self) -> None:
        await self._client.check()

    async def _finish(self) -> None:
        await asyncio.gather(*(lanes.finish() for lanes in self._lanes))

    async def _stop(self) -> None:
        lanes, self._lanes = self._lanes, []
        await asyncio.gather(*(one.aclose() for one in lanes))

    async def _disconnect(self) -> None:
        await self._client.aclose()

    async def _retry_in(self, shard: Shard, wanted: frozenset[str] | None) -> int:
        """Put failed jobs of one part back, page by page; jobs that fail meanwhile stay in the list."""
        size, place, done = await shard.failed_size(), 0, 0
        while place + done < size:
            page = await shard.failed(place, place + _PAGE - 1)
            if not page:
                break
            for record in page:
                job = read_failed(record)
                if job is None or (wanted is not None and job.id not in wanted):
                    place += 1
                elif await shard.requeue(job.lane, record, new_job(job.job, self._clock.now())):
                    done += 1
        return done

    def _restored(self) -> None:
        self._backlog.restored()
        for lanes in self._lanes:
            lanes.wake()

    async def _send(self, lane: str, first: int, records: list[bytes]) -> None:
        number = shard_of(lane, self.shards)
        is_new = await self._shards[number].push(lane, self._producer, first, records)
        if is_new and self._lanes:
            self._lanes[number].wake()
