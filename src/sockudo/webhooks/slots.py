"""How many requests run at once, so that endpoints that take their time leave room for the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sockudo.clock import Clock

# An endpoint that takes longer than this is slow until it was quick again.
QUICK: Final = 1.0
# So many requests to slow endpoints for each to a quick one: they wait, and cost next to nothing.
_SLOW_FOR_QUICK: Final = 4
_MOST_SLOW: Final = 10_000


class Slots:
    """At most `limit` requests at once to endpoints not known to be slow, and four times as many to those that are.

    A request that turns out to be slow gives its slot back after a second. So dead endpoints, however many, cannot take
    the slots of those that work.
    """

    def __init__(self, limit: int, clock: Clock) -> None:
        self._quick = asyncio.Semaphore(limit)
        self._slow = asyncio.Semaphore(limit * _SLOW_FOR_QUICK)
        self._clock = clock
        self._slow_ones: dict[str, None] = {}

    @asynccontextmanager
    async def slot(self, endpoint: str) -> AsyncIterator[None]:
        """Wait for a slot, and hold it."""
        holding = self._hold_slow() if endpoint in self._slow_ones else self._hold_quick()
        async with holding:
            began = self._clock.monotonic()
            try:
                yield
            finally:
                self._note(endpoint, is_slow=self._clock.monotonic() - began > QUICK)

    @asynccontextmanager
    async def _hold_slow(self) -> AsyncIterator[None]:
        async with self._slow:
            yield

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

    def _note(self, endpoint: str, *, is_slow: bool) -> None:
        self._slow_ones.pop(endpoint, None)
        if is_slow:
            self._slow_ones[endpoint] = None
            if len(self._slow_ones) > _MOST_SLOW:
                del self._slow_ones[next(iter(self._slow_ones))]
