"""The base class of queues in a store: takes jobs, counts, drains and closes.

Jobs go through a `Backlog` into the store, and a consumer hands them out. The driver reaches the store, encodes jobs
and has the consumer.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Protocol

from sockudo.errors import DriverError
from sockudo.queues.backlog import Backlog, BacklogBounds
from sockudo.queues.base import QueueCounts
from sockudo.queues.handling import problem_with, refused
from sockudo.queues.losses import Losses
from sockudo.timing.clock import Clock


class Handled(Protocol):
    """The counts of this process since its start: as in `QueueCounts`."""

    attempts: int
    delivered: int


class StoredQueue(ABC):
    """The part of a `Queue` that does not depend on its store."""

    def __init__(self, store: str, clock: Clock, bounds: BacklogBounds, max_job_bytes: int) -> None:
        """Make a queue that is not connected yet.

        Args:
            store: the name of the store in errors and the log.
            clock: the source of time.
            bounds: how much waits for the store.
            max_job_bytes: the longest job.
        """
        self.max_job_bytes = max_job_bytes
        self._store = store
        self._clock = clock
        self._losses = Losses(clock)
        self._backlog = Backlog(store, self._send, bounds, self._losses)
        self._connecting = asyncio.Lock()
        self._is_connected = self._is_closed = False

    @property
    def lost(self) -> int:
        """As in `Queue`."""
        return self._losses.total

    @property
    def unaccepted(self) -> int:
        """As in `Queue`."""
        return self._backlog.size

    def push(self, lane: str, job: bytes) -> asyncio.Future[None]:
        """As in `Queue`."""
        problem = self._problem() or problem_with(lane, job, self.max_job_bytes)
        if problem is not None:
            self._losses.add(1, str(problem))
            return refused(problem)
        return self._backlog.push(lane, self._record(lane, job))

    async def check(self) -> None:
        """As in `Queue`."""
        problem = self._problem()
        if problem is not None:
            raise problem
        await self._connect()
        await self._check_store()

    async def drain(self, seconds: float) -> None:
        """As in `Queue`."""
        try:
            async with asyncio.timeout(seconds):
                await self._backlog.finish()
                await self._finish()
        except (TimeoutError, DriverError):
            # The other jobs stay in the store.
            pass
        await self.aclose()

    async def aclose(self) -> None:
        """As in `Queue`."""
        self._is_closed = True
        await self._backlog.aclose(self._closed())
        await self._stop()
        self._losses.tell(f"the process ends before {self._store} has accepted them")
        await self._disconnect()

    async def _connect(self) -> None:
        async with self._connecting:
            if not self._is_connected:
                await self._reach()
                self._is_connected = True

    def _counts(self, depth: int, oldest: float | None, failed: int, handled: Handled | None) -> QueueCounts:
        """Return counts; `oldest` is when the oldest job was accepted."""
        return QueueCounts(
            depth=depth,
            oldest=0.0 if oldest is None else max(0.0, self._clock.now() - oldest),
            failed=failed,
            attempts=0 if handled is None else handled.attempts,
            delivered=0 if handled is None else handled.delivered,
            lost=self.lost,
            unaccepted=self.unaccepted,
        )

    def _problem(self) -> DriverError | None:
        return self._closed() if self._is_closed else None

    def _closed(self) -> DriverError:
        return DriverError(f"the queue in {self._store} is closed")

    @abstractmethod
    def _record(self, lane: str, job: bytes) -> bytes:
        """Return a job that is accepted now, encoded for the store."""

    @abstractmethod
    async def _send(self, lane: str, first: int, records: list[bytes]) -> None:
        """Append records to a lane; see `Backlog`."""

    @abstractmethod
    async def _reach(self) -> None:
        """Connect to the store; called once, or again after it has failed."""

    @abstractmethod
    async def _check_store(self) -> None:
        """Return if the store can be used."""

    @abstractmethod
    async def _finish(self) -> None:
        """Return when no job is handled and none is due."""

    @abstractmethod
    async def _stop(self) -> None:
        """Handle nothing more, and leave held jobs to other processes."""

    @abstractmethod
    async def _disconnect(self) -> None:
        """Release every connection."""
