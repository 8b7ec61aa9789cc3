"""A clock that runs faster than time, so that a test need not wait as long as a server does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from sockudo.timing.clock import Handle
from sockudo.timing.slice_time import SliceTime


class FastClock:
    """The clock of a loop, `speed` times as fast; only the date stays true, because signatures hold it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, speed: float) -> None:
        self._loop = loop
        self._speed = speed
        self.slice_time = SliceTime(self.monotonic, self.call_soon)

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic() * self._speed

    def call_later(self, delay: float, callback: Callable[[], object]) -> Handle:
        return self._loop.call_later(delay / self._speed, callback)

    def call_soon(self, callback: Callable[[], object]) -> Handle:
        return self._loop.call_soon(callback)
