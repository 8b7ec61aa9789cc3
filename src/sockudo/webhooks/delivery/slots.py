"""Limits how many webhook requests run at once; slow endpoints leave room for the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sockudo.timing.clock import Clock

# An endpoint that takes longer than this is slow until it was quick again.
QUICK: Final = 1.0
# So many requests to slow endpoints for each to a quick one, and as many to those that do not answer: they wait, and
# cost next to nothing.
_SLOW_FOR_QUICK: Final = 4
_MOST_SLOW: Final = 10_000


class NoRequestError(Exception):
    """Raised by who has a slot and makes no request after all; it says nothing of the endpoint."""


class Slots:
    """At most `limit` requests at once to endpoints not known to be slow, and four times as many to those that are.

    A request that turns out to be slow gives its slot back after a second. So dead endpoints, however many, cannot take
    the slots of those that work. Nor can they take the slots of those that work slowly: there are as many again for
    endpoints whose last request took long and failed.
    """

    def __init__(self, limit: int, clock: Clock) -> None:
        self._quick = asyncio.Semaphore(limit)
        self._slow = asyncio.Semaphore(limit * _SLOW_FOR_QUICK)
        self._dead = asyncio.Semaphore(limit * _SLOW_FOR_QUICK)
        self._clock = clock
        # With the slots that their next requests get.
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
