"""The queue in Redis while Redis fails: what was accepted is kept, what was not waits, and all of it in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from sockudo.config.sections.queue import RedisQueueSettings
from sockudo.errors import DriverError
from sockudo.queues.base import Delivery, Done, Failed, Outcome, Retry
from sockudo.queues.redis.options import RedisQueueOptions
from sockudo.queues.redis.queue import RedisQueue
from sockudo.redis_client.options import RedisTarget, Sentinels
from sockudo.timing.clock import LoopClock
from tests.contracts.queue import JOBS, counts_become, settled
from tests.fakes.jobs import RecordingHandler, hang
from tests.servers.ports import free_port
from tests.servers.queue_process import options_for
from tests.servers.redis_sentinel import MASTER_NAME, SENTINEL_PASSWORD, SentinelGroup
from tests.servers.redis_server import PASSWORD, RedisProcess, running

PREFIX = "sockudo_queue_faults:"
LANE = "a"
# What it has answered is on the disk; otherwise a server that is killed may have forgotten the last second.
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
KEYS = f"{PREFIX}:queue:webhooks:{{0}}:"


@asynccontextmanager
async def queue_with(options: RedisQueueOptions, handler: RecordingHandler | None = None) -> AsyncIterator[RedisQueue]:
    queue = RedisQueue(LoopClock(asyncio.get_running_loop()), options)
    try:
        if handler is not None:
            await queue.start(handler)
        yield queue
    finally:
        await queue.aclose()


async def until(is_true: Callable[[], bool]) -> None:
    """Return once the log says something; it has no event to wait for."""
    async with asyncio.timeout(40):
        while not is_true():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.01)


async def test_accepted_jobs_survive_a_crash_of_a_persistent_redis(tmp_path: Path) -> None:
    with running(RedisProcess(tmp_path / "durable", *DURABLE)) as server:
        handler = RecordingHandler(hang)
        async with queue_with(options_for(server.url, PREFIX), handler) as queue:
            await asyncio.gather(*(queue.push(LANE, job) for job in JOBS[:30]))
            await handler.wait_for(1)
            server.kill()
            # It is away for longer than the lease lasts.
            await handler.wait_until(lambda: len(handler.cancelled) == 1)
            waiting = [queue.push(LANE, job) for job in JOBS[30:]]
            handler.answer = lambda _: Done()
            await asyncio.to_thread(server.start)
            await asyncio.gather(*waiting)
            assert await handler.wait_for(1 + len(JOBS)) == [b"0", *JOBS]
            assert (await settled(queue)).lost == 0


async def test_a_job_done_while_redis_was_away_is_not_repeated(tmp_path: Path) -> None:
    with running(RedisProcess(tmp_path / "durable", *DURABLE)) as server:
        may_end = asyncio.Event()

        async def answer(_: Delivery) -> Outcome:
            await may_end.wait()
            return Done()

        handler = RecordingHandler(answer)
        async with queue_with(options_for(server.url, PREFIX, lease=30), handler) as queue:
            await asyncio.gather(queue.push(LANE, b"1"), queue.push(LANE, b"2"))
            await handler.wait_for(1)
            server.kill()
            may_end.set()
            await handler.wait_until(lambda: len(handler.finished) == 1)
            await asyncio.to_thread(server.start)
            assert await handler.wait_for(2) == [b"1", b"2"]
            assert (await settled(queue)).delivered == 2
    assert [delivery.attempt for delivery in handler.deliveries] == [1, 1]


async def test_pushes_whose_replies_are_lost_are_not_appended_twice(own_redis: RedisProcess) -> None:
    handler = RecordingHandler()
    async with queue_with(options_for(own_redis.url, PREFIX), handler) as queue:
        await queue.push(LANE, b"first")
        await handler.wait_for(1)
        own_redis.pause()
        with structlog.testing.capture_logs() as logs:
            waiting = [queue.push(lane, job) for job in JOBS for lane in ("a", "b")]
            # They are given up and sent again; the paused server has read them all the same.
            await until(lambda: any(line["event"] == "webhook queue: jobs wait to be accepted" for line in logs))
        assert queue.unaccepted == len(waiting)
        own_redis.resume()
        await asyncio.gather(*waiting)
        await handler.wait_for(1 + len(waiting))
        assert (await settled(queue)).lost == 0
    assert handler.jobs("b") == JOBS
    assert handler.jobs("a") == [b"first", *JOBS]


async def test_the_oldest_pushes_make_room_where_too_many_wait(own_redis: RedisProcess) -> None:
    options = replace(options_for(own_redis.url, PREFIX), max_waiting=5, max_waiting_bytes=1000)
    handler = RecordingHandler()
    async with queue_with(options, handler) as queue:
        own_redis.kill()
        first = queue.push(LANE, b"0")
        # Whatever happens to the first, which is under way, the others wait for it.
        await asyncio.sleep(0)
        waiting = [queue.push(LANE, job) for job in JOBS[1:8]]
        refused = [future for future in waiting if future.done()]
        assert refused == waiting[:3]
        with pytest.raises(DriverError, match=r"more jobs wait for Redis than are kept \(5 jobs, 1000 bytes\)"):
            await refused[0]
        large = queue.push(LANE, bytes(900))
        assert [future.done() for future in waiting] == [True] * 6 + [False]
        await asyncio.to_thread(own_redis.start)
        await asyncio.gather(first, *waiting[6:], large)
        assert await handler.wait_for(3) == [b"0", b"7", bytes(900)]
        counts = await settled(queue)
        assert (counts.lost, counts.unaccepted) == (6, 0)


async def test_jobs_not_accepted_at_the_end_are_lost_and_counted(own_redis: RedisProcess) -> None:
    async with queue_with(options_for(own_redis.url, PREFIX), RecordingHandler()) as queue:
        own_redis.kill()
        waiting = [queue.push(LANE, job) for job in JOBS[:3]]
        await queue.drain(0.05)
        assert all(isinstance(future.exception(), DriverError) for future in waiting)
        assert queue.lost == 3


async def test_a_full_redis_still_gives_out_the_old_jobs(own_redis: RedisProcess) -> None:
    def answer(delivery: Delivery) -> Outcome:
        if delivery.job == b"bad":
            return Failed("no") if delivery.attempt > 1 else Retry(0)
        return Done()

    options, handler = options_for(own_redis.url, PREFIX), RecordingHandler(answer)
    async with queue_with(options, RecordingHandler(hang)) as first:
        await asyncio.gather(*(first.push(LANE, job) for job in (b"1", b"bad", b"2")))
    await asyncio.to_thread(own_redis.cli, "CONFIG", "SET", "maxmemory", "1")
    async with queue_with(options, handler) as queue:
        await handler.wait_for(4)
        assert (await settled(queue)).failed == 1
        with structlog.testing.capture_logs() as logs:
            waiting = queue.push(LANE, b"3")
            await until(lambda: any("OOM" in line.get("reason", "") for line in logs))
        assert not waiting.done()
        await asyncio.to_thread(own_redis.cli, "CONFIG", "SET", "maxmemory", "0")
        await waiting
        assert await handler.wait_for(5) == [b"1", b"bad", b"bad", b"2", b"3"]


async def test_what_is_no_job_is_taken_out_of_the_way(own_redis: RedisProcess) -> None:
    handler = RecordingHandler()
    await asyncio.to_thread(own_redis.cli, "RPUSH", f"{KEYS}jobs:{LANE}", "nonsense", "")
    await asyncio.to_thread(own_redis.cli, "RPUSH", f"{KEYS}failed", "nonsense")
    async with queue_with(options_for(own_redis.url, PREFIX), handler) as queue:
        await queue.push(LANE, b"1")
        assert await handler.wait_for(1) == [b"1"]
        counts = await settled(queue)
        assert (counts.failed, counts.attempts) == (3, 1)
        failed = await queue.failed(9)
        assert {(job.job, job.reason) for job in failed} == {
            (b"nonsense", "it was no job of this queue"),
            (b"", "it was no job of this queue"),
        }


async def test_what_other_programs_write_stops_no_lane(own_redis: RedisProcess) -> None:
    handler = RecordingHandler()
    digits = "9" * 5000
    for words in (
        ("SET", f"{KEYS}jobs:text", "no list"),
        ("ZADD", f"{KEYS}lanes", "0", "text"),
        ("ZADD", f"{KEYS}lanes", "-inf", "missing"),
        ("EVAL", "return redis.call('ZADD', KEYS[1], 0, '\\255\\254')", "1", f"{KEYS}lanes"),
        ("SET", f"{KEYS}held:{LANE}", "no hash"),
        ("RPUSH", f"{KEYS}jobs:{LANE}", f"0123456789abcdef {digits} body"),
    ):
        await asyncio.to_thread(own_redis.cli, *words)
    with structlog.testing.capture_logs() as logs:
        async with queue_with(options_for(own_redis.url, PREFIX), handler) as queue:
            await queue.push(LANE, b"1")
            assert await handler.wait_for(1) == [b"1"]
            await settled(queue)
            assert (await asyncio.to_thread(own_redis.cli, "ZRANGE", f"{KEYS}lanes", "0", "-1")).split() == []
    told = [line["event"] for line in logs]
    assert "webhook queue: entry dropped: it is not a lane" in told
    assert "webhook queue: lane dropped: its jobs are not a list" in told


async def test_a_failed_job_that_cannot_be_kept_is_dropped_aloud(own_redis: RedisProcess) -> None:
    handler = RecordingHandler(lambda delivery: Done() if delivery.job == b"2" else Failed("refused with 400"))
    await asyncio.to_thread(own_redis.cli, "SET", f"{KEYS}failed", "no list")
    with structlog.testing.capture_logs() as logs:
        async with queue_with(options_for(own_redis.url, PREFIX), handler) as queue:
            await asyncio.gather(*(queue.push(LANE, job) for job in (b"1", b"2", b"3")))
            # Each job is handled once, and the lane goes on at once.
            assert await handler.wait_for(3) == [b"1", b"2", b"3"]
            counts = await settled(queue)
            assert (counts.attempts, counts.delivered, counts.failed, counts.lost) == (3, 1, 0, 2)
            assert await queue.failed(9) == []
            assert await queue.retry(None) == 0
    lines = [line for line in logs if line["event"].startswith("webhook queue: failed job dropped")]
    assert [(line["lane"], line["reason"]) for line in lines] == [(LANE, "refused with 400")] * 2
    assert sum("remove the key" in line["event"] for line in logs) == 1


@pytest.mark.parametrize("key", ["jobs", "held"])
async def test_a_key_replaced_during_a_job_stops_no_lane(key: str, own_redis: RedisProcess) -> None:
    may_end = asyncio.Event()

    async def answer(_: Delivery) -> Outcome:
        await may_end.wait()
        return Done()

    handler = RecordingHandler(answer)
    async with queue_with(options_for(own_redis.url, PREFIX), handler) as queue:
        await asyncio.gather(queue.push(LANE, b"1"), queue.push("b", b"other"))
        await handler.wait_for(2)
        await asyncio.to_thread(own_redis.cli, "SET", f"{KEYS}{key}:{LANE}", "something else")
        may_end.set()
        await queue.push(LANE, b"2")
        await handler.wait_until(lambda: b"2" in handler.jobs(LANE))
        await settled(queue)


@pytest.mark.parametrize("key", ["jobs:a", "pushed:a:{producer}"])
async def test_a_key_of_another_type_delays_no_push(key: str, own_redis: RedisProcess) -> None:
    handler = RecordingHandler()
    async with queue_with(options_for(own_redis.url, PREFIX), handler) as queue:
        await queue.push(LANE, b"1")
        await handler.wait_for(1)
        await settled(queue)
        pushed = (await asyncio.to_thread(own_redis.cli, "KEYS", f"{KEYS}pushed:*")).split()[0]
        name = pushed if "pushed" in key else f"{KEYS}{key}"
        await asyncio.to_thread(
            own_redis.cli, "EVAL", "redis.call('DEL', KEYS[1]) redis.call('HSET', KEYS[1], 'a', 'b')", "1", name
        )
        async with asyncio.timeout(5):
            await queue.push(LANE, b"2")
        assert await handler.wait_for(2) == [b"1", b"2"]
        await settled(queue)


async def test_failed_jobs_are_bounded_and_evicted_ones_counted(own_redis: RedisProcess) -> None:
    options = replace(options_for(own_redis.url, PREFIX), max_failed=3)
    async with queue_with(options, RecordingHandler(lambda _: Failed("no"))) as queue:
        await asyncio.gather(*(queue.push(LANE, job) for job in JOBS[:5]))
        counts = await counts_become(queue, lambda counts: counts.attempts == 5 and counts.depth == 0)
        assert (counts.failed, counts.lost) == (3, 2)
        assert [job.job for job in await queue.failed(9)] == JOBS[2:5]


async def test_nodes_whose_clocks_differ_share_lanes(own_redis: RedisProcess) -> None:
    class Late(LoopClock):
        def now(self) -> float:
            return super().now() - 3600

    options, handler = options_for(own_redis.url, PREFIX), RecordingHandler()
    late = RedisQueue(Late(asyncio.get_running_loop()), options)
    await late.start(RecordingHandler(hang))
    await late.push(LANE, b"1")
    await late.aclose()
    async with queue_with(options, handler) as queue:
        await handler.wait_for(1)
        await settled(queue)


async def test_nothing_is_left_in_redis_of_lanes_that_are_done(own_redis: RedisProcess) -> None:
    async with queue_with(options_for(own_redis.url, PREFIX), RecordingHandler()) as queue:
        await asyncio.gather(*(queue.push(f"lane{number}", b"1") for number in range(20)))
        await counts_become(queue, lambda counts: counts.delivered == 20 and counts.depth == 0)
        keys = (await asyncio.to_thread(own_redis.cli, "KEYS", "*")).split()
        # Numbers of pushes are forgotten after a while.
        assert all(":pushed:" in key for key in keys), keys
        assert 0 < int(await asyncio.to_thread(own_redis.cli, "PTTL", keys[0])) <= 600_000


# Starting


async def test_an_absent_redis_is_an_error_that_names_the_setting() -> None:
    target = RedisTarget(f"redis://127.0.0.1:{free_port()}", setting="queue.redis.url_override")
    async with queue_with(RedisQueueOptions(RedisQueueSettings(), target)) as queue:
        for ask in (queue.start(RecordingHandler()), queue.check(), queue.counts(), queue.failed(1), queue.retry(None)):
            with pytest.raises(DriverError, match=r"cannot be used \(queue.redis.url_override\): Connection refused"):
                await ask


async def test_a_user_without_rights_to_the_keys_is_an_error(redis_acl: RedisProcess) -> None:
    rights = ["+@all", "~elsewhere*"]
    await asyncio.to_thread(redis_acl.cli, "ACL", "SETUSER", "jobless", "reset", "on", ">pass-word", *rights)
    target = RedisTarget(f"redis://jobless:pass-word@127.0.0.1:{redis_acl.port}", setting="queue.redis.url_override")
    async with queue_with(RedisQueueOptions(RedisQueueSettings(), target)) as queue:
        with pytest.raises(DriverError, match="NOPERM") as caught:
            await queue.start(RecordingHandler())
        assert "queue.redis.url_override" in str(caught.value)
        assert "pass-word" not in str(caught.value)


# Sentinel


async def test_the_queue_goes_on_with_the_sentinels_new_master(sentinel_group: SentinelGroup) -> None:
    sentinels = Sentinels(sentinel_group.hosts, MASTER_NAME, password=SENTINEL_PASSWORD)
    options = replace(options_for("", PREFIX), place=RedisTarget(password=PASSWORD, sentinels=sentinels))
    handler = RecordingHandler()
    async with queue_with(options, handler) as queue:
        await asyncio.gather(*(queue.push(LANE, job) for job in JOBS[:5]))
        await handler.wait_for(5)
        await settled(queue)
        sentinel_group.master.kill()
        waiting = [queue.push(LANE, job) for job in JOBS[5:10]]
        await asyncio.wait_for(asyncio.gather(*waiting), 30)
        assert await handler.wait_for(10) == JOBS[:10]
        await settled(queue)
