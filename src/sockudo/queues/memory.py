"""The queue of one process. Its jobs live as long as the process does.

A lane that has jobs has a task, which ends with the last of them; a lane without jobs does not exist.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from sockudo.errors import DriverError
from sockudo.queues.base import Delivery, Done, FailedJob, Handler, QueueCounts, Retry
from sockudo.queues.handling import MAX_DELIVERIES, outcome_of, problem_with, refused
from sockudo.queues.losses import Losses
from sockudo.timing.clock import Clock

# While draining, jobs that wait for a retry are tried at once, with pauses of this length: no process comes after this.
_LAST_PAUSE: Final = 1.0


@dataclass(frozen=True, slots=True)
class MemoryQueueOptions:
    """The bounds: how many jobs wait, and how many bytes of them; failed ones count apart.

    A lane gets no more room than all lanes together leave free. So a lane that does not empty takes half of the room at
    most, and many of them still leave some to the others.
    """

    max_jobs: int = 100_000
    max_bytes: int = 64 * 1024 * 1024
    max_failed: int = 1000
    max_job_bytes: int = 1024 * 1024


@dataclass(slots=True)
class _Job:
    body: bytes
    accepted_at: float
    attempts: int = 0


class _Lane:
    """Jobs that wait, the oldest first."""

    __slots__ = ("bytes", "jobs")

    def __init__(self) -> None:
        self.jobs: deque[_Job] = deque()
        self.bytes = 0


class _FailedJobs:
    """The jobs that failed last, within bounds."""

    def __init__(self, max_jobs: int, max_bytes: int) -> None:
        self._max_jobs = max_jobs
        self._max_bytes = max_bytes
        self._jobs: OrderedDict[str, FailedJob] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._jobs)

    def all(self) -> list[FailedJob]:
        return list(self._jobs.values())

    def add(self, job: FailedJob) -> int:
        """Append a job; return how many old ones had to make room."""
        self._jobs[job.id] = job
        self._bytes += len(job.job)
        dropped = 0
        while len(self._jobs) > self._max_jobs or self._bytes > self._max_bytes:
            self.remove(next(iter(self._jobs)))
            dropped += 1
        return dropped

    def remove(self, job_id: str) -> None:
        self._bytes -= len(self._jobs.pop(job_id).job)


class MemoryQueue:
    """Lanes in dictionaries."""

    def __init__(self, clock: Clock, options: MemoryQueueOptions | None = None) -> None:
        self._clock = clock
        self._options = options or MemoryQueueOptions()
        self.max_job_bytes = self._options.max_job_bytes
        self._handler: Handler | None = None
        self._lanes: dict[str, _Lane] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failed = _FailedJobs(self._options.max_failed, self._options.max_bytes)
        self._losses = Losses(clock)
        self._slots = asyncio.Semaphore(MAX_DELIVERIES)
        self._jobs = self._bytes = 0
        self._attempts = self._delivered = self._failures = 0
        self._is_draining = self._is_closed = False
        self._pauses: set[asyncio.Future[None]] = set()

    @property
    def lost(self) -> int:
        return self._losses.total

    @property
    def unaccepted(self) -> int:
        return 0

    async def start(self, handler: Handler) -> None:
        self._handler = handler
        for lane in self._lanes:
            self._run(lane)

    def push(self, lane: str, job: bytes) -> asyncio.Future[None]:
        problem = self._problem() or problem_with(lane, job, self.max_job_bytes)
        if problem is None and not self._has_room(lane, len(job)):
            problem = self._full(lane)
        if problem is not None:
            self._losses.add(1, str(problem))
            return refused(problem)
        self._append(lane, job)
        accepted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        accepted.set_result(None)
        return accepted

    async def failed(self, limit: int) -> list[FailedJob]:
        return self._failed.all()[-limit:] if limit > 0 else []

    async def retry(self, ids: Collection[str] | None) -> int:
        chosen = [job for job in self._failed.all() if ids is None or job.id in ids]
        done = 0
        for job in chosen:
            if self._is_closed or not self._has_room(job.lane, len(job.job)):
                continue
            self._failed.remove(job.id)
            self._append(job.lane, job.job)
            done += 1
        return done

    async def counts(self) -> QueueCounts:
        heads = (lane.jobs[0].accepted_at for lane in self._lanes.values())
        now = self._clock.now()
        return QueueCounts(
            depth=self._jobs,
            oldest=max(0.0, now - min(heads, default=now)),
            failed=len(self._failed),
            attempts=self._attempts,
            delivered=self._delivered,
            lost=self._losses.total,
        )

    async def drain(self, seconds: float) -> None:
        self._is_draining = True
        for over in self._pauses:
            _end(over)
        try:
            async with asyncio.timeout(seconds):
                while self._tasks:
                    await asyncio.wait(self._tasks.values())
        except TimeoutError:
            pass
        await self.aclose()

    async def check(self) -> None:
        """Memory can be used until it is closed."""
        problem = self._problem()
        if problem is not None:
            raise problem

    async def aclose(self) -> None:
        self._is_closed = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._losses.add(self._jobs, "the process ends and the queue is in memory")
        self._losses.tell("the process ends and the queue is in memory")
        self._lanes.clear()
        self._jobs = self._bytes = 0

    def _problem(self) -> DriverError | None:
        return DriverError("the queue in memory is closed") if self._is_closed else None

    def _has_room(self, name: str, size: int) -> bool:
        lane = self._lanes.get(name)
        jobs, taken = (0, 0) if lane is None else (len(lane.jobs), lane.bytes)
        jobs_left, bytes_left = self._options.max_jobs - self._jobs, self._options.max_bytes - self._bytes
        return jobs < jobs_left and taken + size <= bytes_left

    def _full(self, name: str) -> DriverError:
        lane = self._lanes.get(name, _Lane())
        return DriverError(
            f"the queue in memory is full: {self._jobs} jobs with {self._bytes} bytes wait, the limits are "
            f"{self._options.max_jobs} and {self._options.max_bytes}; of one lane, here {len(lane.jobs)} with "
            f"{lane.bytes}, no more than is left"
        )

    def _append(self, name: str, job: bytes) -> None:
        self._jobs += 1
        self._bytes += len(job)
        lane = self._lanes.setdefault(name, _Lane())
        lane.jobs.append(_Job(job, self._clock.now()))
        lane.bytes += len(job)
        self._run(name)

    def _run(self, name: str) -> None:
        if self._handler is not None and name not in self._tasks:
            self._tasks[name] = asyncio.get_running_loop().create_task(self._work(name, self._handler))

    async def _work(self, name: str, handler: Handler) -> None:
        """Handle the jobs of a lane, one after the other, until it has none."""
        lane = self._lanes[name]
        try:
            while lane.jobs:
                job = lane.jobs[0]
                async with self._slots:
                    job.attempts += 1
                    self._attempts += 1
                    outcome = await outcome_of(handler, Delivery(name, job.body, job.attempts, job.accepted_at))
                if isinstance(outcome, Retry):
                    await self._pause(outcome.after)
                    continue
                self._take_out(lane)
                if isinstance(outcome, Done):
                    self._delivered += 1
                else:
                    self._keep_failed(name, job, outcome.reason)
            del self._lanes[name]
        finally:
            del self._tasks[name]

    def _take_out(self, lane: _Lane) -> None:
        size = len(lane.jobs.popleft().body)
        lane.bytes -= size
        self._jobs -= 1
        self._bytes -= size

    async def _pause(self, seconds: float) -> None:
        if self._is_draining:
            seconds = min(seconds, _LAST_PAUSE)
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        handle = self._clock.call_later(max(0.0, seconds), lambda: _end(over))
        self._pauses.add(over)
        try:
            await over
        finally:
            self._pauses.discard(over)
            handle.cancel()

    def _keep_failed(self, lane: str, job: _Job, reason: str) -> None:
        self._failures += 1
        failed = FailedJob(str(self._failures), lane, job.body, reason, self._clock.now(), job.attempts)
        self._losses.add(self._failed.add(failed), "the list of failed jobs is full, so the oldest make room")


def _end(over: asyncio.Future[None]) -> None:
    if not over.done():
        over.set_result(None)
