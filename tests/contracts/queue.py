"""What every queue does.

A driver's test module has `class TestX(QueueContract)` and a fixture `queue`: not started, without jobs, closed
afterwards. Where processes share the store it has `SharedQueueContract` and a fixture `make_queue`, whose queues share
one and are closed afterwards.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from sockudo.errors import DriverError
from sockudo.queues.base import Delivery, Done, Failed, Outcome, Queue, QueueCounts, Retry
from tests.fakes.jobs import WITHIN, RecordingHandler, hang

JOBS = [b"%d" % number for number in range(40)]
MakeQueue = Callable[[], Queue]


async def counts_become(queue: Queue, is_so: Callable[[QueueCounts], bool]) -> QueueCounts:
    """Return the counts once they are so; a store cannot be waited for, so it is asked again and again."""
    deadline = time.monotonic() + WITHIN
    while not is_so(counts := await queue.counts()):
        assert time.monotonic() < deadline, counts
        await asyncio.sleep(0.01)
    return counts


async def settled(queue: Queue) -> QueueCounts:
    """Return the counts once no job is left."""
    return await counts_become(queue, lambda counts: counts.depth == 0)


def hang_on(*lanes: str) -> Callable[[Delivery], Outcome | Awaitable[Outcome]]:
    """Return an answer that never comes on some lanes."""
    return lambda delivery: hang(delivery) if delivery.lane in lanes else Done()


class QueueContract:
    keeps_order_of_a_lane = True

    async def test_a_job_reaches_the_handler_with_its_details(self, queue: Queue) -> None:
        handler = RecordingHandler()
        await queue.start(handler)
        before = time.time()
        await queue.push("app:hook", b'{"events":[]}')
        await handler.wait_for(1)
        (delivery,) = handler.deliveries
        assert delivery[:3] == ("app:hook", b'{"events":[]}', 1)
        assert before - 0.01 <= delivery.accepted_at <= time.time()
        await settled(queue)

    async def test_jobs_of_a_lane_are_handled_in_order_and_alone(self, queue: Queue) -> None:
        async def in_turns(_: Delivery) -> Outcome:
            await asyncio.sleep(0)
            return Done()

        handler, lanes = RecordingHandler(in_turns), ["a", "b", "c"]
        await queue.start(handler)
        accepted = [queue.push(lane, job) for job in JOBS for lane in lanes]
        await asyncio.gather(*accepted)
        await handler.wait_for(len(accepted))
        for lane in lanes:
            jobs = handler.jobs(lane)
            assert (jobs if self.keeps_order_of_a_lane else sorted(jobs, key=int)) == JOBS
            assert handler.most_at_once[lane] == 1
        counts = await settled(queue)
        assert (counts.attempts, counts.delivered, counts.lost) == (len(accepted), len(accepted), 0)

    async def test_jobs_that_wait_for_the_start_are_handled(self, queue: Queue) -> None:
        first = queue.push("a", b"1")
        handler = RecordingHandler()
        await queue.start(handler)
        await first
        await queue.push("a", b"2")
        assert sorted(await handler.wait_for(2)) == [b"1", b"2"]

    async def test_lanes_that_hang_do_not_delay_another(self, queue: Queue) -> None:
        hanging = [f"dead{number}" for number in range(30)]
        handler = RecordingHandler(hang_on(*hanging))
        await queue.start(handler)
        for lane in hanging:
            queue.push(lane, b"stuck")
            queue.push(lane, b"behind")
        await handler.wait_until(lambda: sum(handler.running.values()) == len(hanging))
        for job in JOBS[:10]:
            await queue.push("alive", job)
        jobs = await handler.wait_for(10, "alive")
        assert sorted(jobs, key=int) == JOBS[:10]
        assert b"behind" not in handler.jobs()
        # A handler is counted before its job is gone.
        await counts_become(queue, lambda counts: (counts.delivered, counts.depth) == (10, 2 * len(hanging)))

    async def test_a_retried_job_stays_first_in_its_lane_only(self, queue: Queue) -> None:
        again = iter([Retry(0.3), Retry(0)])

        def answer(delivery: Delivery) -> Outcome:
            return next(again, Done()) if delivery.job == b"1" else Done()

        handler = RecordingHandler(answer)
        await queue.start(handler)
        await queue.push("a", b"1")
        await handler.wait_for(1)
        await asyncio.gather(queue.push("a", b"2"), queue.push("b", b"3"))
        await handler.wait_for(5)
        seen = [(delivery.job, delivery.attempt) for delivery in handler.deliveries]
        assert seen[:2] == [(b"1", 1), (b"3", 1)]
        assert seen[2:4] == [(b"1", 2), (b"1", 3)] or not self.keeps_order_of_a_lane
        assert sorted(seen) == [(b"1", 1), (b"1", 2), (b"1", 3), (b"2", 1), (b"3", 1)]
        assert len({delivery.accepted_at for delivery in handler.deliveries if delivery.job == b"1"}) == 1
        counts = await settled(queue)
        assert (counts.attempts, counts.delivered) == (5, 3)

    async def test_a_retry_is_not_before_its_time(self, queue: Queue) -> None:
        times: list[float] = []

        def answer(_: Delivery) -> Outcome:
            times.append(time.monotonic())
            return Retry(0.3) if len(times) == 1 else Done()

        handler = RecordingHandler(answer)
        await queue.start(handler)
        await queue.push("a", b"1")
        await handler.wait_for(2)
        assert times[1] - times[0] >= 0.29

    async def test_a_failed_job_keeps_its_reason_and_its_lane_continues(self, queue: Queue) -> None:
        def answer(delivery: Delivery) -> Outcome:
            if delivery.job == b"bad":
                return Retry(0) if delivery.attempt == 1 else Failed("HTTP 500")
            return Done()

        handler = RecordingHandler(answer)
        await queue.start(handler)
        before = time.time()
        await queue.push("a", b"bad")
        await queue.push("a", b"good")
        counts = await settled(queue)
        assert sorted(handler.jobs()) == [b"bad", b"bad", b"good"]
        assert (counts.failed, counts.delivered, counts.lost) == (1, 1, 0)
        (failed,) = await queue.failed(10)
        assert (failed.lane, failed.job, failed.reason, failed.attempts) == ("a", b"bad", "HTTP 500", 2)
        assert before - 0.01 <= failed.failed_at <= time.time()

    async def test_the_failed_jobs_that_are_shown_are_the_last_ones(self, queue: Queue) -> None:
        handler = RecordingHandler(lambda _: Failed("no"))
        await queue.start(handler)
        for job in JOBS[:5]:
            await queue.push("lane", job)
            await counts_become(queue, lambda counts, job=job: counts.failed == int(job) + 1)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        assert [failed.job for failed in await queue.failed(3)] == JOBS[2:5]
        assert [failed.job for failed in await queue.failed(100)] == JOBS[:5]
        assert await queue.failed(0) == []

    async def test_failed_jobs_are_tried_again_as_if_they_were_new(self, queue: Queue) -> None:
        handler = RecordingHandler(lambda _: Failed("no"))
        await queue.start(handler)
        await asyncio.gather(*(queue.push("a", job) for job in JOBS[:3]))
        await counts_become(queue, lambda counts: counts.failed == 3)
        by_job = {failed.job: failed for failed in await queue.failed(10)}
        handler.answer = lambda _: Done()
        accepted_before = max(delivery.accepted_at for delivery in handler.deliveries)
        assert await queue.retry([by_job[b"1"].id, "unknown"]) == 1
        await handler.wait_for(4)
        assert handler.deliveries[3][:3] == ("a", b"1", 1)
        assert handler.deliveries[3].accepted_at >= accepted_before
        assert await queue.retry(None) == 2
        jobs = (await handler.wait_for(6))[4:]
        assert (jobs if self.keeps_order_of_a_lane else sorted(jobs)) == [b"0", b"2"]
        assert await queue.retry(None) == 0
        assert (await settled(queue)).failed == 0

    async def test_a_handler_that_raises_is_tried_again(self, queue: Queue) -> None:
        def answer(delivery: Delivery) -> Outcome:
            if delivery.attempt == 1:
                raise ValueError("a defect")
            return Done()

        handler = RecordingHandler(answer)
        await queue.start(handler)
        await queue.push("a", b"1")
        await handler.wait_for(2)
        assert [delivery.attempt for delivery in handler.deliveries] == [1, 2]
        assert (await settled(queue)).delivered == 1

    async def test_counts_tell_how_many_wait_and_how_long(self, queue: Queue) -> None:
        assert await queue.counts() == QueueCounts(0, 0.0, 0, 0, 0, 0, 0)
        handler = RecordingHandler(hang)
        await queue.start(handler)
        await queue.push("a", b"1")
        await handler.wait_for(1)
        await asyncio.gather(queue.push("a", b"2"), queue.push("b", b"3"))
        counts = await counts_become(queue, lambda counts: counts.attempts == 2)
        assert (counts.depth, counts.failed, counts.delivered, counts.lost, counts.unaccepted) == (3, 0, 0, 0, 0)
        later = await counts_become(queue, lambda now: now.oldest >= counts.oldest + 0.05)
        assert later.oldest < WITHIN

    async def test_jobs_and_lanes_are_of_any_kind(self, queue: Queue) -> None:
        handler = RecordingHandler()
        await queue.start(handler)
        jobs = [b"", b"\0\xff\r\n", "\N{SNOWMAN}\uffff\x01".encode(), b"x" * 100_000, b'{"a": "\\u0000"}', b" 1 "]
        lanes = ["app:1:hook", "with space", "\N{SNOWMAN}", "{braces}*?[x]", "k" * 512, ""]
        await asyncio.gather(*(queue.push(lane, job) for lane, job in zip(lanes, jobs, strict=True)))
        await handler.wait_for(len(jobs))
        seen = {(delivery.lane, delivery.job) for delivery in handler.deliveries}
        assert seen == set(zip(lanes, jobs, strict=True))

    async def test_what_is_too_long_is_refused_and_counted(self, queue: Queue) -> None:
        handler = RecordingHandler()
        await queue.start(handler)
        with pytest.raises(DriverError, match=f"the queue takes {queue.max_job_bytes}"):
            await queue.push("a", bytes(queue.max_job_bytes + 1))
        with pytest.raises(DriverError, match="the name of a lane has 513 bytes, the limit is 512"):
            await queue.push("k" * 513, b"1")
        await queue.push("a", b"x" * queue.max_job_bytes)
        assert await handler.wait_for(1) == [b"x" * queue.max_job_bytes]
        counts = await settled(queue)
        assert (counts.lost, counts.delivered) == (2, 1)

    async def test_a_handler_may_push(self, queue: Queue) -> None:
        def answer(delivery: Delivery) -> Outcome:
            if delivery.job == b"1":
                queue.push(delivery.lane, b"2")
                queue.push("another", b"3")
            return Done()

        handler = RecordingHandler(answer)
        await queue.start(handler)
        await queue.push("a", b"1")
        assert sorted(await handler.wait_for(3)) == [b"1", b"2", b"3"]

    async def test_draining_handles_what_is_there_and_then_takes_nothing_more(self, queue: Queue) -> None:
        handler = RecordingHandler()
        await queue.start(handler)
        for job in JOBS:
            queue.push("a", job)
        await queue.drain(WITHIN)
        assert sorted(handler.jobs(), key=int) == JOBS
        assert len(handler.finished) == len(JOBS)
        with pytest.raises(DriverError, match="closed"):
            await queue.push("a", b"late")

    async def test_draining_ends_when_its_time_is_over(self, queue: Queue) -> None:
        handler = RecordingHandler(hang_on("dead"))
        await queue.start(handler)
        await queue.push("dead", b"1")
        await queue.push("alive", b"2")
        await handler.wait_for(2)
        async with asyncio.timeout(WITHIN):
            await queue.drain(0.05)
        assert [delivery.lane for delivery in handler.cancelled] == ["dead"]
        assert not handler.running["dead"]

    async def test_a_working_queue_passes_its_check_and_closes_twice(self, queue: Queue) -> None:
        await queue.check()
        await queue.start(RecordingHandler())
        await queue.check()
        await queue.aclose()
        await queue.aclose()
        with pytest.raises(DriverError):
            await queue.check()


class SharedQueueContract(QueueContract):
    @pytest.fixture
    async def queue(self, make_queue: MakeQueue) -> Queue:
        return make_queue()

    async def test_jobs_outlive_the_queue_that_accepted_them(self, make_queue: MakeQueue) -> None:
        first, second, handler = make_queue(), make_queue(), RecordingHandler()
        await first.start(RecordingHandler(hang))
        await asyncio.gather(*(first.push("a", job) for job in JOBS[:5]))
        await first.aclose()
        await second.start(handler)
        jobs = await handler.wait_for(5)
        assert (jobs if self.keeps_order_of_a_lane else sorted(jobs)) == JOBS[:5]
        assert (await settled(second)).lost == 0

    async def test_another_consumer_handles_unfinished_jobs_at_once(self, make_queue: MakeQueue) -> None:
        first, second = make_queue(), make_queue()
        stuck, handler = RecordingHandler(hang), RecordingHandler()
        await first.start(stuck)
        await first.push("a", b"1")
        await stuck.wait_for(1)
        await first.drain(0.05)
        await second.start(handler)
        await handler.wait_for(1)
        assert stuck.cancelled
        await settled(second)

    async def test_two_queues_handle_a_shared_lane_in_order_and_alone(self, make_queue: MakeQueue) -> None:
        queues, lanes = [make_queue(), make_queue()], ["a", "b", "c", "d"]

        async def in_turns(_: Delivery) -> Outcome:
            await asyncio.sleep(0.002)
            return Done()

        handler = RecordingHandler(in_turns)
        for queue in queues:
            await queue.start(handler)
        for lane in lanes:
            await asyncio.gather(*(queues[0].push(lane, job) for job in JOBS[:10]))
            await asyncio.gather(*(queues[1].push(lane, job) for job in JOBS[10:20]))
        await handler.wait_for(20 * len(lanes))
        for lane in lanes:
            assert handler.jobs(lane) == JOBS[:20] or not self.keeps_order_of_a_lane
            assert handler.most_at_once[lane] == 1 or not self.keeps_order_of_a_lane
        counts = [await settled(queue) for queue in queues]
        assert sum(one.attempts for one in counts) == 20 * len(lanes)

    async def test_failed_jobs_are_seen_and_tried_again_from_elsewhere(self, make_queue: MakeQueue) -> None:
        server, command = make_queue(), make_queue()
        handler = RecordingHandler(lambda _: Failed("no"))
        await server.start(handler)
        await server.push("a", b"1")
        await counts_become(server, lambda counts: counts.failed == 1)
        handler.answer = lambda _: Done()
        counts = await command.counts()
        assert (counts.depth, counts.failed, counts.attempts) == (0, 1, 0)
        (failed,) = await command.failed(10)
        assert failed.job == b"1"
        assert await command.retry([failed.id]) == 1
        await handler.wait_for(2)
        assert (await settled(command)).failed == 0
