"""The queue in memory keeps the contract, and its bounds, and behaves as its model under a clock moved by hand."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sockudo.errors import DriverError
from sockudo.queues.base import Delivery, Done, Failed, Outcome, Queue, Retry
from sockudo.queues.memory import MemoryQueue, MemoryQueueOptions
from sockudo.timing.clock import LoopClock
from tests.contracts.queue import QueueContract, counts_become, settled
from tests.fakes.clock import FakeClock
from tests.fakes.jobs import RecordingHandler, hang


class TestMemoryQueue(QueueContract):
    @pytest.fixture
    async def queue(self) -> AsyncIterator[Queue]:
        queue = MemoryQueue(LoopClock(asyncio.get_running_loop()))
        yield queue
        await queue.aclose()


async def test_a_full_queue_refuses_and_keeps_its_accepted_jobs() -> None:
    handler = RecordingHandler()
    queue = MemoryQueue(FakeClock(), MemoryQueueOptions(max_jobs=2, max_bytes=10))
    await queue.push("a", b"1")
    with pytest.raises(DriverError, match=r"is full: 1 jobs with 1 bytes wait, the limits are 2 and 10"):
        await queue.push("a", bytes(10))
    await queue.push("b", b"2")
    with pytest.raises(DriverError, match="is full: 2 jobs"):
        await queue.push("c", b"3")
    assert (await queue.counts()).lost == 2
    await queue.start(handler)
    assert sorted(await handler.wait_for(2)) == [b"1", b"2"]
    await settled(queue)
    # What is done leaves room.
    await queue.push("a", bytes(10))
    await queue.aclose()


@pytest.mark.parametrize("size", [1, 10])
async def test_lanes_that_nobody_empties_leave_room_to_the_others(size: int) -> None:
    def answer(delivery: Delivery) -> Outcome:
        return Done() if delivery.lane.startswith("good") else Retry(60)

    handler = RecordingHandler(answer)
    queue = MemoryQueue(FakeClock(), MemoryQueueOptions(max_jobs=100, max_bytes=100 * size))
    await queue.start(handler)
    for _ in range(200):
        for lane in ("dead", "another"):
            queue.push(lane, bytes(size))
    counts = await queue.counts()
    assert counts.depth == 67
    # As many as there are left, and again when those are done.
    for _ in range(3):
        await asyncio.gather(*(queue.push(f"good-{number}", b"x" * size) for number in range(10)))
        await counts_become(queue, lambda counts: counts.depth == 67)
    assert (await queue.counts()).delivered == 30
    await queue.aclose()


async def test_failed_jobs_are_bounded_and_evicted_ones_counted() -> None:
    queue = MemoryQueue(FakeClock(), MemoryQueueOptions(max_failed=2, max_bytes=100))
    await queue.start(RecordingHandler(lambda _: Failed("no")))
    for job in (b"1", b"2", b"3"):
        await queue.push("a", job)
    await settled(queue)
    assert [failed.job for failed in await queue.failed(9)] == [b"2", b"3"]
    await queue.push("a", bytes(99))
    counts = await settled(queue)
    assert [len(failed.job) for failed in await queue.failed(9)] == [1, 99]
    assert (counts.failed, counts.lost) == (2, 2)
    await queue.aclose()


async def test_what_is_left_at_the_end_is_lost_and_counted() -> None:
    queue, handler = MemoryQueue(FakeClock()), RecordingHandler(hang)
    await queue.start(handler)
    for job in (b"1", b"2", b"3"):
        await queue.push("a", job)
    await handler.wait_for(1)
    await queue.drain(0)
    counts = await queue.counts()
    assert (counts.depth, counts.lost) == (0, 3)


async def test_jobs_that_wait_for_a_retry_get_a_last_attempt() -> None:
    outcomes = iter([Retry(64), Retry(64)])
    queue, handler = (
        MemoryQueue(LoopClock(asyncio.get_running_loop())),
        RecordingHandler(lambda _: next(outcomes, Done())),
    )
    await queue.start(handler)
    for job in (b"1", b"2"):
        await queue.push("a", job)
    await handler.wait_for(1)
    async with asyncio.timeout(10):
        await queue.drain(60)
    counts = await queue.counts()
    assert (counts.delivered, counts.lost) == (2, 0)
    assert handler.jobs() == [b"1", b"1", b"1", b"2"]


async def test_a_job_whose_handler_raises_again_and_again_fails() -> None:
    def answer(_: Delivery) -> Outcome:
        raise ValueError("s3cret")

    clock, handler = FakeClock(), RecordingHandler(answer)
    queue = MemoryQueue(clock)
    await queue.start(handler)
    await queue.push("a", b"1")
    for attempt in range(1, 6):
        await handler.wait_for(attempt)
        await counts_become(queue, lambda counts: clock.timers > 0 or counts.failed > 0)
        clock.advance(60)
    await settled(queue)
    (failed,) = await queue.failed(1)
    assert (failed.reason, failed.attempts) == ("its handler raised ValueError", 5)
    await queue.aclose()


LANES = st.sampled_from(["a", "b", "c"])


class MemoryQueueAgainstLists(RuleBasedStateMachine):
    """The model is a list for each lane; the test is the handler and decides when and how each job ends."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = FakeClock()
        self.options = MemoryQueueOptions(max_jobs=6, max_failed=2)
        self.queue = self.runner.run(self._make())
        self.running: dict[str, tuple[Delivery, asyncio.Future[Outcome]]] = {}
        # Job, attempts so far, and when it is due.
        self.lanes: dict[str, deque[tuple[bytes, int, float]]] = {lane: deque() for lane in "abc"}
        self.failed: list[bytes] = []
        self.pushed = self.lost = self.delivered = 0

    async def _make(self) -> MemoryQueue:
        queue = MemoryQueue(self.clock, self.options)
        await queue.start(self._handle)
        return queue

    async def _handle(self, delivery: Delivery) -> Outcome:
        assert delivery.lane not in self.running
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.running[delivery.lane] = (delivery, future)
        return await future

    async def _settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    def _has_room(self, lane: str) -> bool:
        return len(self.lanes[lane]) < 6 - sum(map(len, self.lanes.values()))

    def _end(self, lane: str, outcome: Outcome) -> None:
        async def end() -> None:
            self.running.pop(lane)[1].set_result(outcome)
            await self._settle()

        self.runner.run(end())

    @rule(lane=LANES)
    def push(self, lane: str) -> None:
        async def push() -> bool:
            future = self.queue.push(lane, b"%d" % self.pushed)
            await self._settle()
            return future.exception() is None

        has_room = self._has_room(lane)
        assert self.runner.run(push()) == has_room
        if has_room:
            self.lanes[lane].append((b"%d" % self.pushed, 0, 0.0))
        else:
            self.lost += 1
        self.pushed += 1

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        lane = data.draw(st.sampled_from(sorted(self.running)))
        self._end(lane, Done())
        self.lanes[lane].popleft()
        self.delivered += 1

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        lane = data.draw(st.sampled_from(sorted(self.running)))
        self._end(lane, Failed("no"))
        self.failed.append(self.lanes[lane].popleft()[0])
        if len(self.failed) > 2:
            self.failed.pop(0)
            self.lost += 1

    @precondition(lambda self: self.running)
    @rule(data=st.data(), after=st.sampled_from([0.5, 2.0, 8.0]))
    def retry_later(self, data: st.DataObject, after: float) -> None:
        lane = data.draw(st.sampled_from(sorted(self.running)))
        job, attempts, _ = self.lanes[lane].popleft()
        self.lanes[lane].appendleft((job, attempts + 1, self.clock.monotonic() + after))
        self._end(lane, Retry(after))

    @rule(seconds=st.sampled_from([0.4, 1.0, 5.0]))
    def let_time_pass(self, seconds: float) -> None:
        async def advance() -> None:
            self.clock.advance(seconds)
            await self._settle()

        self.runner.run(advance())

    @rule()
    def retry_failed(self) -> None:
        lanes = {job.job: job.lane for job in self.runner.run(self.queue.failed(9))}

        async def retry() -> int:
            number = await self.queue.retry(None)
            await self._settle()
            return number

        retried: list[bytes] = []
        for job in self.failed:
            if self._has_room(lanes[job]):
                self.lanes[lanes[job]].append((job, 0, 0.0))
                retried.append(job)
        assert self.runner.run(retry()) == len(retried)
        self.failed = [job for job in self.failed if job not in retried]

    @invariant()
    def the_heads_that_are_due_are_in_their_handlers(self) -> None:
        expected = {
            lane: (jobs[0][0], jobs[0][1] + 1)
            for lane, jobs in self.lanes.items()
            if jobs and jobs[0][2] <= self.clock.monotonic()
        }
        found = {lane: (delivery.job, delivery.attempt) for lane, (delivery, _) in self.running.items()}
        assert found == expected

    @invariant()
    def the_counts_are_true(self) -> None:
        counts = self.runner.run(self.queue.counts())
        assert counts.depth == sum(map(len, self.lanes.values()))
        assert (counts.delivered, counts.lost, counts.failed) == (self.delivered, self.lost, len(self.failed))
        assert [job.job for job in self.runner.run(self.queue.failed(9))] == self.failed

    def teardown(self) -> None:
        self.runner.run(self.queue.aclose())
        self.runner.close()


MemoryQueueAgainstLists.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestMemoryQueueAgainstLists = MemoryQueueAgainstLists.TestCase
