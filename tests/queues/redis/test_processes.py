"""Processes that share a queue in Redis: killed, frozen and competing ones lose no job and keep the order of lanes."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from sockudo.queues.redis.queue import RedisQueue
from sockudo.timing.clock import LoopClock
from tests.contracts.queue import JOBS, counts_become, settled
from tests.servers.queue_process import QueueProcess, Step, Trace, options_for
from tests.servers.redis_server import RedisProcess

LEASE = 0.6
_numbers = count()


class PushingQueue(RedisQueue):
    """A queue that leaves the handling to others."""

    async def start_pushing(self) -> None:
        await self._connect()
        self._backlog.start()


class SharedQueue:
    """A queue of its own in a Redis, and the processes that work on it."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._folder = folder
        self._prefix = f"sockudo_queue_processes_{next(_numbers)}:"
        self._processes: list[QueueProcess] = []
        self.trace = Trace(folder / "trace")
        self.queue = PushingQueue(LoopClock(asyncio.get_running_loop()), options_for(url, self._prefix, LEASE))

    async def start(self, behaviour: str, lease: float = LEASE) -> QueueProcess:
        """Start a process and return when it is ready for jobs."""
        number = len(self._processes)
        process = QueueProcess(self._url, self._prefix, self.trace, lease, behaviour, self._folder / f"process{number}")
        self._processes.append(process)
        process.start()
        await self.trace.wait_for(number + 1, "ready")
        return process

    async def push(self, lane: str, jobs: list[bytes]) -> None:
        """Push jobs and return when they are accepted."""
        await asyncio.gather(*(self.queue.push(lane, job) for job in jobs))

    def end(self) -> None:
        """End what is left."""
        for process in self._processes:
            process.end(signal.SIGKILL)

    def log_tail(self) -> str:
        """Return what the processes wrote."""
        return "\n".join(process.log_tail() for process in self._processes)


@contextmanager
def running(place: SharedQueue) -> Iterator[SharedQueue]:
    try:
        yield place
    finally:
        place.end()


@pytest.fixture
async def place(redis_server: RedisProcess, tmp_path: Path) -> AsyncIterator[SharedQueue]:
    with running(SharedQueue(redis_server.url, tmp_path)) as place:
        await place.queue.start_pushing()
        yield place
        await place.queue.aclose()


def jobs_of(steps: list[Step]) -> list[bytes]:
    return [step.job for step in steps]


def first_times(steps: list[Step]) -> list[bytes]:
    """Return the jobs in the order in which each was seen first."""
    return list(dict.fromkeys(step.job for step in steps))


async def test_another_process_delivers_the_job_of_a_killed_one(place: SharedQueue) -> None:
    killed = await place.start("hang")
    await place.push("a", JOBS[:5])
    await place.trace.wait_for(1, "start")
    killed.end(signal.SIGKILL)
    other = await place.start("record")
    ends = await place.trace.wait_for(5, "end")
    assert jobs_of(ends) == JOBS[:5]
    assert [(step.attempt, step.pid) for step in ends] == [(2, other.pid)] + [(1, other.pid)] * 4
    await settled(place.queue)


async def test_a_job_killed_after_delivery_comes_again_in_its_place(place: SharedQueue) -> None:
    dying = await place.start("die")
    await place.push("a", JOBS[:5])
    assert await asyncio.to_thread(dying.wait) == -signal.SIGKILL
    await place.start("record")
    ends = await place.trace.wait_for(6, "end")
    assert jobs_of(ends) == [b"0", b"1", b"2", b"2", b"3", b"4"]
    assert [step.attempt for step in ends] == [1, 1, 1, 2, 1, 1]
    await settled(place.queue)


async def test_a_node_killed_twice_while_its_endpoint_fails_loses_nothing(place: SharedQueue) -> None:
    for _ in range(2):
        killed = await place.start("refuse")
        await place.push("a", JOBS[:10])
        await place.trace.wait_for(len(place.trace.steps("start")) + 3, "start")
        killed.end(signal.SIGKILL)
    assert set(jobs_of(place.trace.steps("start"))) == {b"0"}
    await place.start("record")
    ends = await place.trace.wait_for(20, "end")
    assert jobs_of(ends) == JOBS[:10] * 2
    assert ends[0].attempt > 6
    await settled(place.queue)


async def test_competing_processes_never_work_on_one_lane_together(place: SharedQueue) -> None:
    lanes, jobs = ["a", "b", "c"], JOBS[:12]
    for _ in range(2):
        await place.start("stumble", lease=5)
    for start in (0, 6):
        await asyncio.gather(*(place.push(lane, jobs[start : start + 6]) for lane in lanes))
    await place.trace.wait_for(len(lanes) * len(jobs) * 2, "end")
    for lane in lanes:
        steps = place.trace.steps(lane=lane)
        # Every start is followed by its own end, so nothing overlaps, and the order is that of the pushes.
        assert [(step.job, step.attempt, step.what) for step in steps] == [
            (job, attempt, what) for job in jobs for attempt in (1, 2) for what in ("start", "end")
        ]
    assert len({step.pid for step in place.trace.steps("end")}) == 2
    assert (await settled(place.queue)).depth == 0


async def test_a_process_that_freezes_loses_its_lane_and_notices(place: SharedQueue) -> None:
    frozen = await place.start("hang")
    await place.push("a", JOBS[:5])
    await place.trace.wait_for(1, "start")
    frozen.send(signal.SIGSTOP)
    other = await place.start("record")
    await place.trace.wait_for(5, "end")
    frozen.send(signal.SIGCONT)
    cancelled = await place.trace.wait_for(1, "cancelled")
    assert (cancelled[0].pid, cancelled[0].job) == (frozen.pid, b"0")
    ends = place.trace.steps("end")
    assert jobs_of(ends) == JOBS[:5]
    assert {step.pid for step in ends} == {other.pid}
    await settled(place.queue)


# A process that gets no core for most of a lease loses it.
@pytest.mark.alone
async def test_a_hanging_lane_stays_with_its_living_process(place: SharedQueue) -> None:
    holder = await place.start("hang")
    await place.push("a", JOBS[:1])
    await place.trace.wait_for(1, "start")
    await place.start("record")
    await counts_become(place.queue, lambda counts: counts.oldest > 3 * LEASE)
    assert [(step.what, step.pid) for step in place.trace.steps(lane="a")] == [("start", holder.pid)]
