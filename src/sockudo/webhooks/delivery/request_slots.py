"""Limits how many webhook requests run at once; slow endpoints leave room for the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sockudo.timing.clock import Clock

# An endpoint that takes longer than this is slow until it is quick again.
QUICK: Final = 1.0
# The requests to slow endpoints for each one to a quick endpoint, and as many to endpoints that do not answer: they
# only wait, and cost little.
_SLOW_FOR_QUICK: Final = 4
_MOST_SLOW: Final = 10_000


class NoRequestError(Exception):
    """Raised in a slot when no request was made after all, so that it does not count for the endpoint."""


class RequestSlots:
    """At most `limit` requests at once to endpoints not known to be slow, and four times as many to slow ones.

    A request that turns out to be slow gives its slot back after a second. So dead endpoints, however many, cannot take
    the slots of those that work. Nor can they take the slots of slow ones: endpoints whose last request took long and
    failed have as many slots of their own.
    """

    def __init__(self, limit: int, clock: Clock) -> None:
        self._quick = asyncio.Semaphore(limit)
        self._slow = asyncio.Semaphore(limit * _SLOW_FOR_QUICK)
        self._dead = asyncio.Semaphore(limit * _SLOW_FOR_QUICK)
        self._clock = clock
        # Slow endpoints -> the slots of their next requests.
        self._slow_ones: dict[str, asyncio.Semaphore] = {}

    @asynccontextmanager
    async def slot(self, endpoint: str) -> AsyncIterator[None]:
        """Wait for a slot, and hold it. An exception means that the request failed."""
        async with self._slow_ones.get(endpoint) or self._hold_quick():
            began = self._clock.monotonic()
            try:
                yield
            except NoRequestError:
                raise
            except BaseException:
                self._note(endpoint, began, self._dead)
                raise
            self._note(endpoint, began, self._slow)

    @asynccontextmanager
    async def _hold_quick(self) -> AsyncIterator[None]:
        await self._quick.acquire()
        is_held = True

        def release() -> None:
            nonlocal is_held
            if is_held:
                is_held = False
                self._quick.release()

        timer = self._clock.call_later(QUICK, release)
        try:
            yield
        finally:
            timer.cancel()
            release()

    def _note(self, endpoint: str, began: float, slots: asyncio.Semaphore) -> None:
        """Note which slots the next request of an endpoint gets if this one was slow."""
        self._slow_ones.pop(endpoint, None)
        if self._clock.monotonic() - began > QUICK:
            self._slow_ones[endpoint] = slots
            if len(self._slow_ones) > _MOST_SLOW:
                del self._slow_ones[next(iter(self._slow_ones))]
