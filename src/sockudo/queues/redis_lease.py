"""A lane that this process holds, and until when it may believe that it does."""

from __future__ import annotations

import asyncio

from sockudo.queues.base import Delivery, Handler, Outcome
from sockudo.queues.handling import outcome_of


class LeaseLostError(Exception):
    """The lane may be held by another process; the handler was cancelled."""


class Lease:
    """The right to handle the jobs of a lane.

    Time runs from before a lease was asked for, by this process's own clock, so the server ends it later than we do.
    """

    def __init__(self, lane: str, token: bytes, ends: float) -> None:
        self.lane = lane
        self.token = token
        self._ends = ends
        self._guard: asyncio.Timeout | None = None

    def renewed(self, ends: float) -> None:
        """Note that it holds until `ends` (the loop's time)."""
        self._ends = max(self._ends, ends)
        if self._guard is not None and not self._guard.expired():
            self._guard.reschedule(self._ends)

    def lost(self) -> None:
        """Note that somebody else has the lane."""
        self._ends = 0.0
        if self._guard is not None and not self._guard.expired():
            self._guard.reschedule(0.0)

    async def handle(self, handler: Handler, delivery: Delivery) -> Outcome:
        """Run a handler, as long as the lease holds.

        Raises:
            LeaseLostError: it ended before the handler did.
        """
        try:
            async with asyncio.timeout_at(self._ends) as self._guard:
                return await outcome_of(handler, delivery)
        except TimeoutError:
            raise LeaseLostError from None
        finally:
            self._guard = None
