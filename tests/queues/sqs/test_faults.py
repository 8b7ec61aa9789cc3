"""The queue in SQS while processes are killed or freeze, and while SQS is away: nothing is lost, lanes keep order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiobotocore.session import get_session

from sockudo.config.sections.queue import SqsQueueSettings
from sockudo.errors import DriverError
from sockudo.queues.base import Delivery, Done, Failed, Outcome, Retry
from sockudo.queues.sqs.options import SqsQueueOptions
from sockudo.queues.sqs.queue import SqsQueue
from sockudo.timing.clock import LoopClock
from tests.contracts.queue import JOBS, counts_become, settled
from tests.fakes.jobs import RecordingHandler, hang
from tests.servers.ports import free_port
from tests.servers.queue_process import QueueProcess, Step, Trace, sqs_options_for
from tests.servers.sqs_server import SqsProcess

LANE = "a"
LEASE = 2
_numbers = count()


@pytest.fixture
async def own_sqs(tmp_path: Path, aws_credentials: None) -> AsyncIterator[SqsProcess]:
    server = SqsProcess(tmp_path)
    server.start()
    async with client_of(server) as client:
        # Its first answer takes longer than tests with short time-outs wait.
        await client.list_queues()
    yield server
    server.kill()


@asynccontextmanager
async def queue_with(options: SqsQueueOptions, handler: RecordingHandler | None = None) -> AsyncIterator[SqsQueue]:
    queue = SqsQueue(LoopClock(asyncio.get_running_loop()), options)
    try:
        if handler is not None:
            await queue.start(handler)
        yield queue
    finally:
        await queue.aclose()


@asynccontextmanager
async def client_of(server: SqsProcess) -> AsyncIterator[Any]:
    """The library itself, for what somebody else does."""
    async with get_session().create_client("sqs", region_name="eu-west-1", endpoint_url=server.url) as client:
        yield client


def url_of(options: SqsQueueOptions) -> str:
    assert options.section.queue_url_prefix is not None
    return options.section.queue_url_prefix + options.name


async def until(is_true: Callable[[], bool]) -> None:
    """Return once the log says something; it has no event to wait for."""
    async with asyncio.timeout(40):
        while not is_true():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.01)


# Processes


class SharedQueue:
    """A FIFO queue of its own, and the processes that work on it."""

    def __init__(self, server: SqsProcess, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._prefix = f"p{next(_numbers)}-"
        self._processes: list[QueueProcess] = []
        self.trace = Trace(folder / "trace")
        self.options = sqs_options_for(server.url, self._prefix, LEASE)

    async def start(self, behaviour: str) -> QueueProcess:
        """Start a process and return when it is ready for jobs."""
        number = len(self._processes)
        folder = self._folder / f"process{number}"
        process = QueueProcess(self._server.url, self._prefix, self.trace, LEASE, behaviour, folder)
        self._processes.append(process)
        process.start()
        await self.trace.wait_for(number + 1, "ready")
        return process

    async def push(self, jobs: list[bytes]) -> None:
        """Push jobs from a process that ends then."""
        # It handles what it can get of a lane that nobody else uses.
        async with queue_with(self.options, RecordingHandler(hang)) as queue:
            await asyncio.gather(*(queue.push(LANE, job) for job in jobs))

    def end(self) -> None:
        """End what is left."""
        for process in self._processes:
            process.end(signal.SIGKILL)


@pytest.fixture
def place(sqs: SqsProcess, tmp_path: Path) -> Iterator[SharedQueue]:
    place = SharedQueue(sqs, tmp_path)
    yield place
    place.end()


def jobs_of(steps: list[Step]) -> list[bytes]:
    return [step.job for step in steps]


async def test_another_process_delivers_the_job_of_a_killed_one(place: SharedQueue) -> None:
    await place.push(JOBS[:5])
    killed = await place.start("hang")
    await place.trace.wait_for(1, "start")
    killed.end(signal.SIGKILL)
    other = await place.start("record")
    ends = await place.trace.wait_for(5, "end")
    assert jobs_of(ends) == JOBS[:5]
    assert {step.pid for step in ends} == {other.pid}
    assert ends[0].attempt > place.trace.steps("start")[0].attempt
    async with queue_with(place.options) as queue:
        await settled(queue)


async def test_a_job_killed_after_delivery_comes_again_in_its_place(place: SharedQueue) -> None:
    await place.push(JOBS[:5])
    dying = await place.start("die")
    assert await asyncio.to_thread(dying.wait) == -signal.SIGKILL
    await place.start("record")
    ends = await place.trace.wait_for(6, "end")
    assert jobs_of(ends) == [b"0", b"1", b"2", b"2", b"3", b"4"]
    async with queue_with(place.options) as queue:
        await settled(queue)


async def test_a_process_that_freezes_loses_its_lane_and_notices(place: SharedQueue) -> None:
    await place.push(JOBS[:5])
    frozen = await place.start("hang")
    await place.trace.wait_for(1, "start")
    frozen.send(signal.SIGSTOP)
    other = await place.start("record")
    await place.trace.wait_for(5, "end")
    frozen.send(signal.SIGCONT)
    cancelled = await place.trace.wait_for(1, "cancelled")
    assert (cancelled[0].pid, cancelled[0].job) == (frozen.pid, b"0")
    ends = place.trace.steps("end")
    assert (jobs_of(ends), {step.pid for step in ends}) == (JOBS[:5], {other.pid})


# One that gets no core for most of a second does not.
@pytest.mark.alone
async def test_a_handler_slower_than_the_visibility_timeout_keeps_its_lane(sqs: SqsProcess) -> None:
    options, slow, other = sqs.new_options(fifo=True, visibility_timeout=1), RecordingHandler(hang), RecordingHandler()
    async with queue_with(options, slow) as first:
        await asyncio.gather(*(first.push(LANE, job) for job in JOBS[:3]))
        await slow.wait_for(1)
        async with queue_with(options, other) as second:
            await counts_become(first, lambda counts: counts.oldest > 3)
            assert (slow.jobs(), slow.cancelled, other.jobs()) == ([b"0"], [], [])
            await first.aclose()
            assert await other.wait_for(3) == JOBS[:3]
            await settled(second)


# Attempts


async def test_the_next_consumer_knows_a_lone_jobs_attempts(sqs: SqsProcess) -> None:
    options, refusing, handler = sqs.new_options(fifo=True), RecordingHandler(lambda _: Retry(0.1)), RecordingHandler()
    async with queue_with(options, refusing) as first:
        await first.push(LANE, b"1")
        await refusing.wait_for(3)
    async with queue_with(options, handler):
        await handler.wait_for(1)
    attempts = [delivery.attempt for delivery in refusing.deliveries]
    assert attempts[:3] == [1, 2, 3]
    # One may have been received when there was no time left to handle it.
    assert len(attempts) < handler.deliveries[0].attempt <= len(attempts) + 2


async def test_jobs_behind_a_retried_one_keep_their_own_attempts(sqs: SqsProcess) -> None:
    def answer(delivery: Delivery) -> Outcome:
        return Retry(0.05) if delivery.job == b"0" and delivery.attempt < 5 else Done()

    handler = RecordingHandler(answer)
    async with queue_with(sqs.new_options(fifo=True)) as queue:
        waiting = [queue.push(LANE, job) for job in JOBS[:4]]
        await queue.start(handler)
        await asyncio.gather(*waiting)
        await handler.wait_for(8)
    seen = [(delivery.job, delivery.attempt) for delivery in handler.deliveries]
    assert seen == [*((b"0", attempt) for attempt in range(1, 6)), (b"1", 1), (b"2", 1), (b"3", 1)]


# What is not kept hidden in time is given out again, and counts as another attempt.
@pytest.mark.alone
async def test_jobs_of_a_long_lane_are_put_back_without_attempts(sqs: SqsProcess) -> None:
    may_end = asyncio.Event()

    async def answer(delivery: Delivery) -> Outcome:
        if delivery.lane == "long":
            await may_end.wait()
        return Done()

    handler = RecordingHandler(answer)
    async with queue_with(sqs.new_options(visibility_timeout=2), handler) as queue:
        await asyncio.gather(*(queue.push("long", b"%d" % number) for number in range(80)))
        await handler.wait_for(1)
        # Those that are not kept here have been received more than once by then.
        await counts_become(queue, lambda counts: counts.oldest > 4.5)
        await queue.push("other", b"1")
        await handler.wait_for(1, "other")
        may_end.set()
        await handler.wait_for(80, "long")
        assert (await settled(queue)).delivered == 81
    assert {delivery.attempt for delivery in handler.deliveries} == {1}


# SQS


async def test_pushes_with_lost_replies_are_not_repeated_in_fifo_queues(own_sqs: SqsProcess) -> None:
    handler = RecordingHandler()
    async with queue_with(own_sqs.new_options(fifo=True, timeout=2), handler) as queue:
        await queue.push(LANE, b"first")
        await handler.wait_for(1)
        await settled(queue)
        own_sqs.freeze()
        with structlog.testing.capture_logs() as logs:
            waiting = [queue.push(lane, job) for job in JOBS[:10] for lane in ("a", "b")]
            # They are given up and sent again; the frozen server reads them all the same.
            await until(lambda: any(line["event"] == "webhook queue: jobs wait to be accepted" for line in logs))
            with pytest.raises(DriverError, match=r"queue\.sqs\): no answer in 2 s"):
                await queue.check()
        assert queue.unaccepted == len(waiting)
        own_sqs.thaw()
        await asyncio.gather(*waiting)
        await queue.check()
        await handler.wait_for(1 + len(waiting))
        assert (await settled(queue)).lost == 0
    assert (handler.jobs("a"), handler.jobs("b")) == ([b"first", *JOBS[:10]], JOBS[:10])


async def test_a_job_done_while_sqs_was_away_is_not_repeated(own_sqs: SqsProcess) -> None:
    may_end = asyncio.Event()

    async def answer(_: Delivery) -> Outcome:
        await may_end.wait()
        return Done()

    handler = RecordingHandler(answer)
    async with queue_with(own_sqs.new_options(fifo=True, visibility_timeout=30, timeout=2), handler) as queue:
        await asyncio.gather(queue.push(LANE, b"1"), queue.push(LANE, b"2"))
        await handler.wait_for(1)
        own_sqs.freeze()
        with structlog.testing.capture_logs() as logs:
            may_end.set()
            await until(lambda: any(line["event"] == "webhook queue: SQS cannot be used" for line in logs))
        own_sqs.thaw()
        assert await handler.wait_for(2) == [b"1", b"2"]
        assert (await settled(queue)).delivered == 2
    assert [delivery.attempt for delivery in handler.deliveries] == [1, 1]


async def test_pushes_wait_until_sqs_is_back_also_without_its_queues(own_sqs: SqsProcess) -> None:
    handler = RecordingHandler()
    async with queue_with(own_sqs.new_options(fifo=True), handler) as queue:
        await queue.push(LANE, b"first")
        await handler.wait_for(1)
        own_sqs.kill()
        with structlog.testing.capture_logs() as logs:
            waiting = [queue.push(LANE, job) for job in JOBS[:5]]
            await until(lambda: any(line["event"] == "webhook queue: jobs wait to be accepted" for line in logs))
            with pytest.raises(DriverError, match=r"queue\.sqs"):
                await queue.counts()
            # The stand-in has forgotten them.
            await asyncio.to_thread(own_sqs.start)
            await asyncio.gather(*waiting)
        assert any(line["event"] == "webhook queue: its queue in SQS is gone and is made again" for line in logs)
        assert await handler.wait_for(6) == [b"first", *JOBS[:5]]
        assert (await settled(queue)).lost == 0


async def test_jobs_not_accepted_at_the_end_are_lost_and_counted(own_sqs: SqsProcess) -> None:
    async with queue_with(own_sqs.new_options(max_waiting=2), RecordingHandler()) as queue:
        own_sqs.kill()
        waiting = [queue.push(LANE, job) for job in JOBS[:5]]
        with pytest.raises(DriverError, match=r"more jobs wait for SQS than are kept \(2 jobs"):
            await waiting[0]
        await queue.drain(0.05)
        assert all(isinstance(future.exception(), DriverError) for future in waiting)
        assert queue.lost == 5


async def test_what_is_no_job_goes_to_the_failed_ones(sqs: SqsProcess) -> None:
    handler, options = RecordingHandler(lambda _: Failed("no")), sqs.new_options()
    async with queue_with(options, handler) as queue, client_of(sqs) as client:
        await client.send_message(QueueUrl=url_of(options), MessageBody="nonsense")
        await queue.push(LANE, b"1")
        counts = await counts_become(queue, lambda counts: counts.failed == 2 and counts.depth == 0)
        assert counts.attempts == 1
        assert {(job.lane, job.job, job.reason) for job in await queue.failed(9)} == {
            ("", b"nonsense", "it was no job of this queue"),
            (LANE, b"1", "no"),
        }


# Starting


@pytest.mark.parametrize("fifo", [True, False])
async def test_missing_queues_are_made_and_others_found_by_name(own_sqs: SqsProcess, fifo: bool) -> None:
    options = own_sqs.new_options(fifo=fifo, queue_url_prefix=None, visibility_timeout=7)
    for handler in (RecordingHandler(), RecordingHandler()):
        async with queue_with(options, handler) as queue:
            await queue.push(LANE, b"1")
            await handler.wait_for(1)
            await settled(queue)
    async with client_of(own_sqs) as client:
        urls = (await client.list_queues())["QueueUrls"]
        names = [url.rpartition("/")[2] for url in urls]
        assert sorted(names) == sorted([options.name, options.failed_name])
        url = urls[names.index(options.name)]
        found = (await client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"]))["Attributes"]
    assert found["VisibilityTimeout"] == "7"
    assert found.get("FifoQueue") == found.get("ContentBasedDeduplication") == ("true" if fifo else None)


async def test_a_queue_that_takes_no_long_messages_is_an_error(sqs: SqsProcess) -> None:
    options = sqs.new_options()
    async with client_of(sqs) as client:
        name = url_of(options).rpartition("/")[2]
        await client.create_queue(QueueName=name, Attributes={"MaximumMessageSize": "2048"})
    async with queue_with(options) as queue:
        with pytest.raises(DriverError, match=r"queue\.sqs\): the queue .*webhooks takes messages of 2048 bytes"):
            await queue.start(RecordingHandler())


async def test_a_missing_sqs_is_an_error_that_names_the_setting(aws_credentials: None) -> None:
    place = f"127.0.0.1:{free_port()}"
    async with queue_with(SqsQueueOptions(SqsQueueSettings(endpoint_url=f"http://user:pass-word@{place}"))) as queue:
        for ask in (queue.start(RecordingHandler()), queue.check(), queue.counts(), queue.failed(1), queue.retry(None)):
            with pytest.raises(DriverError, match=rf"sqs at {place} cannot be used \(queue\.sqs\)") as caught:
                await ask
            assert "pass-word" not in str(caught.value)


async def test_credentials_that_are_missing_are_an_error(
    sqs: SqsProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    async with queue_with(sqs.new_options(queue_url_prefix=None)) as queue:
        with pytest.raises(DriverError, match=r"queue\.sqs\): Unable to locate credentials"):
            await queue.start(RecordingHandler())
