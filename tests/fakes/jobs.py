"""A handler of jobs that remembers what it was given and does as it is told."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from sockudo.queues.base import Delivery, Done, Outcome

Answer = Callable[[Delivery], Outcome | Awaitable[Outcome]]
WITHIN = 40.0


async def hang(_: Delivery) -> Outcome:
    """Never answer."""
    await asyncio.Event().wait()
    return Done()


class RecordingHandler:
    """Handles jobs with `answer`, and notes them as they come."""

    def __init__(self, answer: Answer = lambda _: Done()) -> None:
        self.answer = answer
        self.deliveries: list[Delivery] = []
        self.finished: list[Delivery] = []
        self.cancelled: list[Delivery] = []
        self.running: Counter[str] = Counter()
        self.most_at_once: Counter[str] = Counter()
        self._changed = asyncio.Condition()

    async def __call__(self, delivery: Delivery) -> Outcome:
        lane = delivery.lane
        self.deliveries.append(delivery)
        self.running[lane] += 1
        self.most_at_once[lane] = max(self.most_at_once[lane], self.running[lane])
        await self._tell()
        try:
            outcome = self.answer(delivery)
            if isinstance(outcome, Awaitable):
                outcome = await outcome
            self.finished.append(delivery)
            return outcome
        except asyncio.CancelledError:
            self.cancelled.append(delivery)
            raise
        finally:
            self.running[lane] -= 1
            await self._tell()

    def jobs(self, lane: str | None = None) -> list[bytes]:
        """Return the jobs so far, of one lane or of all."""
        return [delivery.job for delivery in self.deliveries if lane in (None, delivery.lane)]

    async def wait_for(self, number: int, lane: str | None = None) -> list[bytes]:
        """Return the jobs once there are so many."""
        await self.wait_until(lambda: len(self.jobs(lane)) >= number)
        return self.jobs(lane)

    async def wait_until(self, is_true: Callable[[], bool]) -> None:
        """Return once something is true that a job changes."""
        async with asyncio.timeout(WITHIN), self._changed:
            await self._changed.wait_for(is_true)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
