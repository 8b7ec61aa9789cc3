"""The interface of a job queue with lanes.

A lane is named by a text; there is one for each app and endpoint. Jobs of a lane are handled in the order in which they
were pushed, one at a time in the whole cluster. Lanes know nothing of each other, so one whose handler hangs delays
none of the others. Lanes are many and come and go: one without jobs costs nothing.

What a driver promises:

* A job is accepted when the future of `push` is done. From then on its handler runs at least once, also if this
  process is killed (in memory: as long as the process lives).
* A job stays in the queue until its handler has returned `Done` or `Failed`. A process that dies in between leaves it
  to another one, so a handler may get a job twice.
* The handler decides how often and how long a job is tried. The queue counts the attempts and keeps the time.
* Everything is bounded. The queue counts and logs every job that it gives up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class Done:
    """The job has been handled; it leaves the queue."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Try the job again in `after` seconds, or a little later. Until then its lane waits."""

    after: float


@dataclass(frozen=True, slots=True)
class Failed:
    """Give the job up: it goes to the list of failed jobs, and its lane goes on. People read `reason`."""

    reason: str


Outcome: TypeAlias = Done | Retry | Failed


class Delivery(NamedTuple):
    """A job as its handler gets it.

    `attempt` is 1 the first time. An attempt counts from its start, even if the process is killed before its end.
    `accepted_at` is when `push` was called, in Unix seconds by the clock of the process that pushed.
    """

    lane: str
    job: bytes
    attempt: int
    accepted_at: float


Handler: TypeAlias = Callable[[Delivery], Awaitable[Outcome]]
"""Handles one job.

The queue may cancel it at any await, when it closes or when another process may have the lane; the job is then handled
again. A handler should not raise: an exception counts as a `Retry` with growing delays, and the fifth as
`Failed`.
"""


class FailedJob(NamedTuple):
    """A job that was given up. `failed_at` is in Unix seconds; `id` names it for `Queue.retry`."""

    id: str
    lane: str
    job: bytes
    reason: str
    failed_at: float
    attempts: int


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """The state of a queue, for `/metrics` and the command line.

    `depth`, `oldest` and `failed` hold for all processes that share the queue, the others for this process alone.
    """

    depth: int
    """Accepted jobs that are not done."""
    oldest: float
    """The age of the oldest of them in seconds; 0 when there is none. SQS does not tell, so for SQS it is the oldest
    job in this process."""
    failed: int
    """Jobs in the list of failed jobs."""
    attempts: int
    """Handlers that this process has begun."""
    delivered: int
    """Handlers of this process that returned `Done`."""
    lost: int
    """Jobs that this process lost: not accepted, dropped from the full list of failed jobs, or in memory at its end."""
    unaccepted: int = 0
    """Pushes of this process that wait to be accepted."""


class Queue(Protocol):
    """A queue of jobs. All of it belongs to one event loop.

    `counts`, `failed`, `retry` and `check` also work on a queue that is not started, so that a command can look at the
    queue of the servers.
    """

    max_job_bytes: int
    """The longest job that `push` takes."""

    @property
    def lost(self) -> int:
        """As in `QueueCounts`, and known also while the store is away."""
        ...

    @property
    def unaccepted(self) -> int:
        """As in `QueueCounts`, and known also while the store is away."""
        ...

    async def start(self, handler: Handler) -> None:
        """Begin to hand out jobs, also those of earlier runs if the store keeps them.

        Raises:
            DriverError: the store cannot be used; the message names the setting.
        """
        ...

    def push(self, lane: str, job: bytes) -> asyncio.Future[None]:
        """Append a job to a lane. The order of the calls is the order of the lane.

        Args:
            lane: any text of at most 512 bytes in UTF-8.
            job: at most `max_job_bytes`.

        Returns:
            A future that is done when the job is accepted. It fails with `DriverError` if the job cannot be accepted,
            because the queue is full or closed or the job too long; the queue counts and logs that, so callers may
            ignore the future. While the store is away the job waits, as long as there is room.
        """
        ...

    async def failed(self, limit: int) -> list[FailedJob]:
        """Return at most `limit` of the jobs that failed last, the newest last.

        Raises:
            DriverError: the store cannot be asked.
        """
        ...

    async def retry(self, ids: Collection[str] | None) -> int:
        """Put failed jobs back at the end of their lanes, the oldest first, as if they were pushed now.

        Args:
            ids: which ones; unknown ids are ignored. None: all.

        Returns:
            The number of jobs that were put back.

        Raises:
            DriverError: the store cannot be asked.
        """
        ...

    async def counts(self) -> QueueCounts:
        """Return the state of the queue.

        Raises:
            DriverError: the store cannot be asked.
        """
        ...

    async def drain(self, seconds: float) -> None:
        """Handle as many jobs as `seconds` allow, then hand out and accept nothing more.

        Other jobs stay in the queue for the next process; those in memory are lost.
        """
        ...

    async def check(self) -> None:
        """Return if the store can be used.

        Raises:
            DriverError: it cannot.
        """
        ...

    async def aclose(self) -> None:
        """Stop at once and release every resource; may be called again. Accepted jobs stay in the store."""
        ...
