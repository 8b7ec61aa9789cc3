"""The consumer of a queue in SQS: fetches messages, sorts them into lanes, and handles the lanes.

SQS gives a message to one process and hides it from the others for a while; the process renews that as long as it has
the message. Fetched messages of a lane wait in a deque, with a task that handles them from the front, so one lane has
one handler, and none waits for another lane. A FIFO queue gives out no message of a lane as long as one of them is
hidden, so there the order and the single handler hold in the whole cluster.

SQS counts the attempts at a job, as receipts. This process keeps the difference as long as it lives: attempts that it
made without a new receipt, and receipts without an attempt.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar

from sockudo.errors import DriverError
from sockudo.log import get_logger
from sockudo.queues.base import Delivery, Done, Failed, Handler, Outcome, Retry
from sockudo.queues.handling import MAX_DELIVERIES
from sockudo.queues.lease import LeaseLostError
from sockudo.queues.sqs.failed import FailedList
from sockudo.queues.sqs.held import Corrections, Held, Holdings
from sockudo.queues.sqs.options import SqsQueueOptions
from sockudo.queues.sqs.records import UNREADABLE, read
from sockudo.queues.sqs.store import BATCH, Message, MessageStore
from sockudo.timing.backoff import delays
from sockudo.timing.clock import Clock

T = TypeVar("T")

_RENEWALS: Final = 3
"""How often held messages are hidden again before they would appear."""
_RENEWALS_AT_ONCE: Final = 10
_ENDING: Final = 1.0
"""How long the return of messages may take at the end (seconds)."""
_STRAGGLERS: Final = 0.2
"""How long to wait at the end for a fetch under way, which may have found messages (seconds)."""
# The most messages of one lane here, in a queue without order; SQS gives out the others again later.
_LONGEST_LANE: Final = 50

_log = get_logger("queue")


class Consumer:
    """Handles the messages of a queue."""

    def __init__(
        self, jobs: MessageStore, failed: FailedList, handler: Handler, options: SqsQueueOptions, clock: Clock
    ) -> None:
        """Begin to fetch and to handle."""
        self._loop = asyncio.get_running_loop()
        self._jobs = jobs
        self._failed = failed
        self._handler = handler
        self._options = options
        self._clock = clock
        self.attempts = self.delivered = 0
        self._held = Holdings()
        self._corrections = Corrections()
        self._lanes: dict[str, deque[Held]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._giving: set[asyncio.Task[None]] = set()
        self._is_closing = False
        self._woken = asyncio.Event()
        self._has_room = asyncio.Event()
        self._finishing = asyncio.Event()
        # Keeps a renewal under way from hiding a message that was just shown.
        self._hiding = asyncio.Lock()
        self._problem: str | None = None
        self._fetches: set[asyncio.Task[int]] = set()
        self._pollers = [self._loop.create_task(self._poll()) for _ in range(options.section.concurrency)]
        self._renewing = self._loop.create_task(self._renew())

    @property
    def oldest(self) -> float | None:
        """When the oldest job here was accepted, if there is any."""
        return min((held.record.accepted_at for held in self._held), default=None)

    def wake(self) -> None:
        """Fetch, now."""
        self._woken.set()

    async def finish(self) -> None:
        """Return when no job is handled and none can be fetched; put back jobs that wait for a retry."""
        self._finishing.set()
        while True:
            while self._tasks or self._giving:
                await asyncio.wait([*self._tasks.values(), *self._giving])
            if await self._fetch(0):
                continue
            if self._fetches:
                await asyncio.wait(self._fetches, timeout=_STRAGGLERS)
            if not self._tasks:
                return

    async def aclose(self) -> None:
        """Stop, and leave the messages here to other processes."""
        self._is_closing = True
        self._woken.set()
        self._has_room.set()
        tasks = [self._renewing, *self._tasks.values(), *self._giving]
        for task in tasks:
            task.cancel()
        # SQS hides the messages of a cancelled fetch from every process for a while.
        _, late = await asyncio.wait(self._pollers, timeout=_STRAGGLERS)
        for poller in late:
            poller.cancel()
        await asyncio.gather(*tasks, *self._pollers, return_exceptions=True)
        left = list(self._held)
        if left:
            try:
                async with asyncio.timeout(_ENDING):
                    await self._give_back(left)
            except (TimeoutError, DriverError) as error:
                _log.warning("webhook queue: SQS gives fetched jobs out again after a while", reason=str(error))

    # Fetching.

    async def _poll(self) -> None:
        waits = delays()
        while not self._is_closing:
            await self._room()
            self._woken.clear()
            # A fetch that waits at the end might be cancelled with a message that comes just then.
            wait = 0 if self._finishing.is_set() else self._options.section.wait_time_seconds
            try:
                found = await self._fetch(wait)
            except DriverError as error:
                self._tell(str(error))
                await self._pause(next(waits))
                continue
            self._problem, waits = None, delays()
            if not found and not wait:
                await self._pause(self._options.idle)

    async def _room(self) -> None:
        """Return when more messages can be taken."""
        while not self._is_closing and (len(self._lanes) >= MAX_DELIVERIES or self._held.is_full):
            self._has_room.clear()
            await self._has_room.wait()

    async def _pause(self, seconds: float) -> None:
        if not self._is_closing:
            await _is_set(self._woken, seconds)

    async def _fetch(self, wait: int) -> int:
        """Fetch once, and return how many messages came."""
        fetch = self._loop.create_task(self._receive(wait))
        self._fetches.add(fetch)
        fetch.add_done_callback(self._fetches.discard)
        return await fetch

    async def _receive(self, wait: int) -> int:
        section, started = self._options.section, self._loop.time()
        messages = await self._jobs.receive(section.max_messages, section.visibility_timeout, wait)
        ends = started + section.visibility_timeout
        taken = [held for message in messages if (held := self._hold(message, ends)) is not None]
        if self._loop.time() - started > section.visibility_timeout / _RENEWALS and taken:
            # They are hidden since SQS sent them, and not since the request, but only SQS knows that time.
            await self._extend(taken)
        for held in taken:
            self._put_into_lane(held)
        return len(messages)

    def _hold(self, message: Message, ends: float) -> Held | None:
        """Note that a message is here until a moment; None if it must not be handled again."""
        known = self._held.get(message.id)
        # A message on its way back may come again before SQS has answered.
        if known is not None and known.is_renewed:
            known.message = message
            known.lease.renewed(ends)
            return None
        record = read(message.text, message.id, self._clock.now())
        first = self._corrections.first_attempt(message)
        held = Held(message, record, first, ends)
        if not self._options.section.fifo and len(self._lanes.get(record.lane, ())) >= _LONGEST_LANE:
            self._corrections.given_back(held)
            return None
        self._held.add(held)
        return held

    def _put_into_lane(self, held: Held) -> None:
        lane = held.record.lane
        self._lanes.setdefault(lane, deque()).append(held)
        if lane not in self._tasks and not self._is_closing:
            self._tasks[lane] = self._loop.create_task(self._handle_all(lane))

    # Handling.

    async def _handle_all(self, lane: str) -> None:
        """Handle the messages of a lane."""
        waiting, left = self._lanes[lane], deque[Held]()
        try:
            while waiting and await self._handle(waiting):
                self._held.remove(waiting.popleft())
                self._has_room.set()
            left = waiting
        except LeaseLostError:
            _log.warning("webhook queue: SQS gave a message to another process while it was handled", lane=lane)
            # The messages behind it have to wait for it.
            self._held.remove(waiting.popleft())
            left = waiting
        finally:
            # The next message begins the lane anew.
            del self._lanes[lane], self._tasks[lane]
            self._has_room.set()
        if left:
            giving = self._loop.create_task(self._let_go(left))
            self._giving.add(giving)
            giving.add_done_callback(self._giving.discard)

    async def _handle(self, waiting: deque[Held]) -> bool:
        """Handle the first job of a lane until it is done or given up; return whether the lane goes on here."""
        held = waiting[0]
        while True:
            outcome = await self._attempt(held)
            if not isinstance(outcome, Retry):
                await self._end(held, outcome)
                return True
            held.due = self._loop.time() + max(0.0, outcome.after)
            # A lone message can wait in SQS: SQS gives out no later one of its group, and counts the attempts.
            if self._options.section.fifo and len(waiting) == 1 and outcome.after:
                return False
            if await _is_set(self._finishing, outcome.after):
                return False

    async def _attempt(self, held: Held) -> Outcome:
        record = held.record
        if not held.lease.holds:
            raise LeaseLostError
        if not record.is_readable:
            return Failed(UNREADABLE)
        self.attempts += 1
        held.tries += 1
        delivery = Delivery(record.lane, record.body, held.attempt, record.accepted_at)
        return await held.lease.handle(self._handler, delivery)

    async def _end(self, held: Held, outcome: Done | Failed) -> None:
        """Take a job out of the queue."""
        if isinstance(outcome, Done):
            self.delivered += 1
        else:
            failed = held.record.as_failed(outcome.reason, self._clock.now(), held.attempt)
            # First add, then delete: a process that dies in between leaves the job in both queues, and not in none.
            await self._tell_sqs(held, lambda: self._failed.add(failed))
        if not await self._tell_sqs(held, lambda: self._jobs.delete(held.message.receipt)):
            raise LeaseLostError

    async def _tell_sqs(self, held: Held, step: Callable[[], Awaitable[T]]) -> T:
        """Carry out a step, as long as it takes; it is in vain once another process may have the message."""
        for delay in delays():
            try:
                return await step()
            except DriverError as error:
                self._tell(str(error))
            if not held.lease.holds:
                raise LeaseLostError
            await asyncio.sleep(delay)
        raise AssertionError("delays never end")

    # Hiding.

    async def _give_back(self, left: Iterable[Held]) -> None:
        """Give messages back to SQS: those behind a job that waits for its retry appear when that is due."""
        now, due = self._loop.time(), dict[str, int]()
        receipts: list[tuple[str, int]] = []
        async with self._hiding:
            for held in left:
                lane = held.record.lane
                due[lane] = max(due.get(lane, 0), math.ceil(held.due - now))
                receipts.append((held.message.receipt, due[lane]))
                self._corrections.given_back(held)
                held.is_renewed = False
            await self._jobs.hide(receipts)

    async def _let_go(self, left: Iterable[Held]) -> None:
        """Give messages back, and forget them; if that fails, they appear after a while by themselves."""
        try:
            await self._give_back(left)
        except DriverError as error:
            self._tell(str(error))
        for held in left:
            self._held.remove(held)
        self._has_room.set()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._options.section.visibility_timeout / _RENEWALS)
            await self._extend(list(self._held))

    async def _extend(self, held: list[Held]) -> None:
        """Hide messages for as long again."""
        parts = [held[start : start + BATCH] for start in range(0, len(held), BATCH)]
        for some in range(0, len(parts), _RENEWALS_AT_ONCE):
            async with self._hiding:
                await asyncio.gather(*(self._extend_part(part) for part in parts[some : some + _RENEWALS_AT_ONCE]))

    async def _extend_part(self, part: list[Held]) -> None:
        part = [held for held in part if held.is_renewed]
        if not part:
            return
        seconds = self._options.section.visibility_timeout
        ends = self._loop.time() + seconds
        try:
            answers = await self._jobs.hide([(held.message.receipt, seconds) for held in part])
        except DriverError as error:
            self._tell(str(error))
            return
        for held, is_ours in zip(part, answers, strict=True):
            if is_ours:
                held.lease.renewed(ends)
            else:
                held.lease.lost()

    def _tell(self, problem: str) -> None:
        """Log a problem, once for each reason."""
        if problem != self._problem:
            self._problem = problem
            _log.warning("webhook queue: SQS cannot be used", reason=problem)


async def _is_set(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event, up to so many seconds; return whether it came."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
