"""Tracks until when this process holds a lane or a message, and cancels its handler after that."""

from __future__ import annotations

import asyncio

from sockudo.queues.base import Delivery, Handler, Outcome
from sockudo.queues.handling import outcome_of


class LeaseLostError(Exception):
    """Another process may have the job; the handler was cancelled."""


class Lease:
    """The right to handle jobs, until a moment of the loop's time.

    Time runs from before the request, by this process's own clock, so the lease ends here before it ends on the server.
    """

    def __init__(self, ends: float) -> None:
        self._ends = ends
        self._guard: asyncio.Timeout | None = None

    @property
    def holds(self) -> bool:
        """Whether the lease has not ended yet."""
        return self._ends > asyncio.get_running_loop().time()

    def renewed(self, ends: float) -> None:
        """Note that the lease holds until `ends`."""
        self._ends = max(self._ends, ends)
        if self._guard is not None and not self._guard.expired():
            self._guard.reschedule(self._ends)

    def lost(self) -> None:
        """Note that another process may have the lease."""
        self._ends = 0.0
        if self._guard is not None and not self._guard.expired():
            self._guard.reschedule(0.0)

    async def handle(self, handler: Handler, delivery: Delivery) -> Outcome:
        """Run a handler, as long as the lease holds.

        Raises:
            LeaseLostError: the lease ended before the handler did.
        """
        try:
            async with asyncio.timeout_at(self._ends) as self._guard:
                return await outcome_of(handler, delivery)
        except TimeoutError:
            raise LeaseLostError from None
        finally:
            self._guard = None
