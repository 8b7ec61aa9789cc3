"""The consumer of one part of a queue in Redis: finds lanes that are due, holds them, and handles their jobs.

A node that pushes to an empty lane looks at once, and so does one that knows when a retry is due; every node looks once
in a while for lanes that dead nodes left. So the node that pushed a job normally handles it, and no node wakes without
need. A held lane has a task, which goes on until the lane has no more jobs, must wait, or is lost.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from sockudo.errors import DriverError
from sockudo.log import get_logger
from sockudo.queues.base import Delivery, Done, Failed, Handler, Outcome, Retry
from sockudo.queues.handling import MAX_DELIVERIES
from sockudo.queues.lease import Lease, LeaseLostError
from sockudo.queues.losses import Losses
from sockudo.queues.redis.options import RedisQueueOptions
from sockudo.queues.redis.records import new_failed, read_job
from sockudo.queues.redis.shard import Finished, Head, Shard
from sockudo.timing.backoff import delays
from sockudo.timing.clock import Clock

T = TypeVar("T")

_RENEWALS: Final = 3
"""How often a lease is renewed before it would end."""
_RELEASING: Final = 1.0
"""How long the release of lanes may take at the end (seconds)."""

_log = get_logger("queue")


@dataclass(slots=True)
class Work:
    """The state that the consumers of one queue share."""

    handler: Handler
    options: RedisQueueOptions
    clock: Clock
    losses: Losses
    attempts: int = 0
    delivered: int = 0
    running: int = 0
    """Lanes that this process holds, in all parts."""
    node: bytes = field(default_factory=lambda: os.urandom(8).hex().encode())
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def token(self) -> bytes:
        """Make a token that no other holder has."""
        return b"%b-%d" % (self.node, next(self.numbers))


class _Held:
    """A lane that this process holds."""

    def __init__(self, lane: str, token: bytes, ends: float) -> None:
        self.lane = lane
        self.token = token
        self.lease = Lease(ends)


class Lanes:
    """Handles the jobs of one part."""

    def __init__(self, shard: Shard, work: Work) -> None:
        self._loop = asyncio.get_running_loop()
        self._shard = shard
        self._work = work
        self._held: dict[str, _Held] = {}
        # Lanes that this process was taking when the queue was closed.
        self._perhaps_taken: list[_Held] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._problem: str | None = None
        self._loops = [self._loop.create_task(self._find_lanes()), self._loop.create_task(self._renew_leases())]

    def wake(self) -> None:
        """Look for lanes that are due, now."""
        self._idle.clear()
        self._wake.set()

    async def finish(self) -> None:
        """Return when this process handles no job and none is due."""
        self.wake()
        while not self._idle.is_set() or self._tasks:
            await self._idle.wait()
            if self._tasks:
                await asyncio.wait(self._tasks)
                self.wake()

    async def aclose(self) -> None:
        """Stop, and leave the held lanes to other processes."""
        for timer in self._timers:
            timer.cancel()
        tasks = [*self._loops, *self._tasks]
        held = list(self._held.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        held += self._perhaps_taken
        if held:
            releases = [self._loop.create_task(self._shard.release(one.lane, one.token, 0)) for one in held]
            # If that fails, the leases run out.
            _, late = await asyncio.wait(releases, timeout=_RELEASING)
            for release in late:
                release.cancel()
            await asyncio.gather(*releases, return_exceptions=True)

    # Finding.

    async def _find_lanes(self) -> None:
        while True:
            self._wake.clear()
            try:
                while await self._take_due():
                    pass
            except DriverError as error:
                self._tell(str(error))
            else:
                if not self._wake.is_set():
                    self._idle.set()
            try:
                async with asyncio.timeout(self._work.options.poll):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _take_due(self) -> int:
        """Take some lanes that are due; return how many."""
        work, room = self._work, MAX_DELIVERIES - self._work.running
        if room <= 0:
            return 0
        most = min(room, work.options.section.concurrency)
        due = await self._shard.look(most + len(self._held))
        self._problem = None
        # A due lane may still be held here, while Redis cannot be told the outcome of its job.
        lanes = [lane for lane in due if lane not in self._held][:most]
        results = await asyncio.gather(*(self._take(lane) for lane in lanes), return_exceptions=True)
        errors = [result for result in results if isinstance(result, BaseException)]
        if errors:
            raise errors[0]
        return sum(result is True for result in results)

    async def _take(self, lane: str) -> bool:
        held = _Held(lane, self._work.token(), self._lease_end())
        try:
            head = await self._shard.take(lane, held.token)
        except asyncio.CancelledError:
            self._perhaps_taken.append(held)
            raise
        if head is None:
            return False
        self._held[lane] = held
        self._work.running += 1
        task = self._loop.create_task(self._handle_all(held, head))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    # Handling.

    async def _handle_all(self, held: _Held, head: Head) -> None:
        """Handle the jobs of a lane until it has none, waits or is lost."""
        following: Head | None = head
        try:
            while following is not None:
                following = await self._handle(held, following)
        except LeaseLostError:
            _log.warning(
                "webhook queue: the lease of a lane ended while its job was handled, which is handled again",
                lane=held.lane,
            )
        finally:
            del self._held[held.lane]
            self._work.running -= 1

    async def _handle(self, held: _Held, head: Head) -> Head | None:
        """Handle the first job of a lane; return the next one, if the lane is still held and has one."""
        work, job, lane = self._work, read_job(head.record), held.lane
        outcome: Outcome
        if job.is_readable:
            work.attempts += 1
            outcome = await held.lease.handle(work.handler, Delivery(lane, job.body, head.attempt, job.accepted_at))
        else:
            outcome = Failed("")
        if isinstance(outcome, Retry):
            await self._tell_redis(lambda: self._shard.release(lane, held.token, outcome.after))
            self._wake_in(outcome.after)
            return None
        failed = b""
        if isinstance(outcome, Done):
            work.delivered += 1
        else:
            failed = new_failed(job, lane, outcome.reason, work.clock.now(), head.attempt)
        finished = await self._tell_redis(lambda: self._finish(held, job.key, failed))
        if finished is None:
            return None
        work.losses.add(finished.dropped, "the list of failed jobs is full, so the oldest make room")
        if failed and not finished.is_kept:
            reason = outcome.reason if isinstance(outcome, Failed) else ""
            _log.error(
                "webhook queue: failed job dropped, because the list of failed jobs is no list",
                lane=lane,
                reason=reason,
            )
            work.losses.add(1, "the list of failed jobs is no list")
        return finished.head

    async def _finish(self, held: _Held, key: bytes, failed: bytes) -> Finished | None:
        ends = self._lease_end()
        finished = await self._shard.finish(held.lane, held.token, key, failed)
        held.lease.renewed(ends)
        return finished

    async def _tell_redis(self, step: Callable[[], Awaitable[T]]) -> T:
        """Carry out a step, however long that takes: it stays possible as long as no other process takes the lane."""
        for delay in delays():
            try:
                return await step()
            except DriverError as error:
                self._tell(str(error))
            await asyncio.sleep(delay)
        raise AssertionError("delays never end")

    def _wake_in(self, seconds: float) -> None:
        def wake() -> None:
            self._timers.discard(timer)
            self.wake()

        timer = self._loop.call_later(max(0.0, seconds), wake)
        self._timers.add(timer)

    # Leases.

    def _lease_end(self) -> float:
        return self._loop.time() + self._work.options.lease

    async def _renew_leases(self) -> None:
        while True:
            await asyncio.sleep(self._work.options.lease / _RENEWALS)
            held, ends = list(self._held.values()), self._lease_end()
            if not held:
                continue
            try:
                answers = await self._shard.renew([(one.lane, one.token) for one in held])
            except DriverError as error:
                self._tell(str(error))
                continue
            for one, is_held in zip(held, answers, strict=True):
                if is_held:
                    one.lease.renewed(ends)
                else:
                    one.lease.lost()

    def _tell(self, problem: str) -> None:
        """Log a problem, once for each reason."""
        if problem != self._problem:
            self._problem = problem
            _log.warning("webhook queue: Redis cannot be used", reason=problem)
