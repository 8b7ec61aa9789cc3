"""The consumer of a queue in SQS: fetches messages, sorts them into lanes, and handles the lanes.

Strategy: SQS gives a message to one process and hides it from the others for a while, which is renewed as long as the
message is here. What is here of a lane waits in a deque, with a task that handles it from the front, so one lane has
one handler, and none waits for another lane. A FIFO queue gives nothing of a lane to anybody as long as something of it
is hidden, so there the order and the one handler hold in the whole cluster.

The attempts at a job are counted by SQS, as receipts. What it cannot know is noted here as long as the process lives:
attempts that were made while the message stayed here, and receipts without an attempt.
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
"""What is held is hidden again so often before it would appear."""
_RENEWALS_AT_ONCE: Final = 10
_ENDING: Final = 1.0
"""How long giving back may take at the end (seconds)."""
_STRAGGLERS: Final = 0.2
"""How long a fetch under way is waited for that may have found something (seconds)."""
# A lane of a queue without order has no more messages here; the others are left to SQS, and come again later.
_LONGEST_LANE: Final = 50

_log = get_logger("queue")


class Consumer:
    """Handles what is in a queue."""

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
        # Whoever shows a message does not want it to be hidden again by a renewal that is under way.
        self._hiding = asyncio.Lock()
        self._problem: str | None = None
        self._fetches: set[asyncio.Task[int]] = set()
        self._pollers = [self._loop.create_task(self._poll()) for _ in range(options.section.concurrency)]
        self._renewing = self._loop.create_task(self._renew())

    @property
    def oldest(self) -> float | None:
        """When the oldest job was accepted that is here, if there is any."""
        return min((held.record.accepted_at for held in self._held), default=None)

    def wake(self) -> None:
        """Fetch, now."""
        self._woken.set()

    async def finish(self) -> None:
        """Return when nothing is being handled and nothing can be fetched; jobs that wait for a retry are put back."""
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
        """Stop, and leave what is here to the others."""
        self._is_closing = True
        self._woken.set()
        self._has_room.set()
        tasks = [self._renewing, *self._tasks.values(), *self._giving]
        for task in tasks:
            task.cancel()
        # What a fetch brings that is cancelled is hidden from everybody for a while.
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
            # What waits at the end might take a message along that comes just then.
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
            # They are hidden since they were sent, and not since they were asked for, but only SQS knows.
            await self._extend(taken)
        for held in taken:
            self._put_into_lane(held)
        return len(messages)

    def _hold(self, message: Message, ends: float) -> Held | None:
        """Note that a message is here, until a moment; None where it is not to be handled again."""
        known = self._held.get(message.id)
        # What is being given back may come again before that is known here.
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
        """Handle what is here of a lane."""
        waiting, left = self._lanes[lane], deque[Held]()
        try:
            while waiting and await self._handle(waiting):
                self._held.remove(waiting.popleft())
                self._has_room.set()
            left = waiting
        except LeaseLostError:
            _log.warning("webhook queue: SQS gave a message to another process while it was handled", lane=lane)
            # Those behind it have to wait for it, wherever it is now.
            self._held.remove(waiting.popleft())
            left = waiting
        finally:
            # What comes from now on begins the lane anew.
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
            # First there and then gone here: whoever dies in between leaves it in both, and not in none.
            await self._tell_sqs(held, lambda: self._failed.add(failed))
        if not await self._tell_sqs(held, lambda: self._jobs.delete(held.message.receipt)):
            raise LeaseLostError

    async def _tell_sqs(self, held: Held, step: Callable[[], Awaitable[T]]) -> T:
        """Carry out a step, as long as it takes; it is in vain when the message may be somebody else's."""
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
        """Let others have messages: those behind a job that waits for its retry when that is due."""
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
        """Give messages back, and forget them; those that cannot be given back appear after a while by themselves."""
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
        """Log what is wrong, once for each reason."""
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
