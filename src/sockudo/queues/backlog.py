"""Keeps pushed jobs until the store acknowledges them, and sends them again when a push fails.

A lane with such jobs has a task, which sends them in batches, one batch at a time, so that the order of a lane is the
order of its pushes whatever fails in between. The task sends a batch again until the store acknowledges it; the jobs
are numbered, so the store appends none twice when a reply was lost. Jobs that are pushed while a batch is under way
make the next one, so many pushes cost few round trips.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from sockudo.errors import DriverError
from sockudo.log import get_logger
from sockudo.queues.handling import refuse
from sockudo.queues.losses import Losses
from sockudo.timing.backoff import delays

_log = get_logger("queue")

Send: TypeAlias = Callable[[str, int, list[bytes]], Awaitable[None]]


class _Push:
    __slots__ = ("future", "lane", "record")

    def __init__(self, lane: str, record: bytes) -> None:
        self.lane = lane
        self.record = record
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()


@dataclass(frozen=True, slots=True)
class BacklogBounds:
    """The most jobs and bytes that wait, and that one batch has."""

    max_waiting: int
    max_waiting_bytes: int
    batch: int = 100
    batch_bytes: int = 1024 * 1024


class Backlog:
    """Sends pushes to their lanes, within bounds."""

    def __init__(self, store: str, send: Send, bounds: BacklogBounds, losses: Losses) -> None:
        """Make a backlog that sends nothing before `start`.

        Args:
            store: the name of the store in errors and the log.
            send: appends records to a lane, in order. The first has the given number, and the numbers of a lane grow; a
                number that comes again has the same record. It raises `DriverError` unless it knows that the store has
                all of them.
            bounds: how much waits.
            losses: counts jobs that cannot be kept.
        """
        self._store = store
        self._send_records = send
        self._bounds = bounds
        self._losses = losses
        self._number = 1
        # Waiting pushes of all lanes, the oldest first, without those under way.
        self._waiting: OrderedDict[_Push, None] = OrderedDict()
        self._lanes: dict[str, deque[_Push]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._bytes = 0
        self._under_way = 0
        self._is_running = False
        self._restored = asyncio.Event()
        self._problem: str | None = None

    @property
    def size(self) -> int:
        """How many jobs are not acknowledged."""
        return len(self._waiting) + self._under_way

    def start(self) -> None:
        """Begin to send."""
        self._is_running = True
        for lane in self._lanes:
            self._run(lane)

    def push(self, lane: str, record: bytes) -> asyncio.Future[None]:
        """Append a job; the future is done when the store has it, and fails if the job had to make room."""
        push = _Push(lane, record)
        self._waiting[push] = None
        self._lanes.setdefault(lane, deque()).append(push)
        self._bytes += len(record)
        while self._waiting and (self.size > self._bounds.max_waiting or self._bytes > self._bounds.max_waiting_bytes):
            self._drop_oldest()
        self._run(lane)
        return push.future

    def restored(self) -> None:
        """Send waiting jobs at once, because the store is back."""
        self._restored.set()
        self._restored = asyncio.Event()

    async def finish(self) -> None:
        """Return when the store has acknowledged every job."""
        while self._tasks:
            await asyncio.wait(self._tasks.values())

    async def aclose(self, error: DriverError) -> None:
        """Stop; a job without acknowledgement fails and counts as lost, though the store may have it."""
        self._is_running = False
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        left = [push for pushes in self._lanes.values() for push in pushes]
        for push in left:
            refuse(push.future, error)
        self._lanes.clear()
        self._waiting.clear()
        self._bytes = self._under_way = 0
        self._losses.add(len(left), str(error))

    def _drop_oldest(self) -> None:
        push, _ = self._waiting.popitem(last=False)
        self._lanes[push.lane].remove(push)
        self._bytes -= len(push.record)
        problem = f"more jobs wait for {self._store} than are kept ({self._bounds.max_waiting} jobs, "
        problem += f"{self._bounds.max_waiting_bytes} bytes): {self._problem or 'it does not keep up'}"
        self._losses.add(1, problem)
        refuse(push.future, DriverError(problem))

    def _run(self, lane: str) -> None:
        if self._is_running and lane not in self._tasks:
            self._tasks[lane] = asyncio.get_running_loop().create_task(self._send_all(lane))

    async def _send_all(self, lane: str) -> None:
        """Send the jobs of a lane until it has none."""
        pushes = self._lanes[lane]
        try:
            while pushes:
                batch = self._next_batch(pushes)
                await self._send(lane, batch)
                for push in batch:
                    pushes.popleft()
                    self._bytes -= len(push.record)
                    if not push.future.done():
                        push.future.set_result(None)
                self._under_way -= len(batch)
            del self._lanes[lane]
        finally:
            del self._tasks[lane]

    def _next_batch(self, pushes: deque[_Push]) -> list[_Push]:
        batch: list[_Push] = []
        size = 0
        for push in pushes:
            size += len(push.record)
            if batch and (len(batch) >= self._bounds.batch or size > self._bounds.batch_bytes):
                break
            batch.append(push)
            del self._waiting[push]
        self._under_way += len(batch)
        return batch

    async def _send(self, lane: str, batch: list[_Push]) -> None:
        """Send a batch until it is acknowledged."""
        records = [push.record for push in batch]
        first, self._number = self._number, self._number + len(batch)
        for delay in delays():
            restored = self._restored
            try:
                await self._send_records(lane, first, records)
            except DriverError as error:
                self._tell(str(error))
            else:
                self._problem = None
                return
            try:
                async with asyncio.timeout(delay):
                    await restored.wait()
            except TimeoutError:
                pass

    def _tell(self, problem: str) -> None:
        """Log why jobs wait, once for each reason."""
        if problem != self._problem:
            self._problem = problem
            _log.warning("webhook queue: jobs wait to be accepted", store=self._store, reason=problem)
