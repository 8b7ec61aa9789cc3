"""The interface of a clock: time and timers, which tests replace.

All code that waits or measures takes a `Clock`, so that its tests move time by hand and never sleep. Measure intervals
with `monotonic()`; `now()` is only for times that leave the process, because an operator or NTP may step it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol

from sockudo.timing.slice_time import SliceTime

# Timers fire a little early, by the resolution of the clock.
_TIMER_SLACK: Final = 0.001


class Handle(Protocol):
    """A scheduled callback."""

    def cancel(self) -> None:
        """Keep the callback from running; do nothing if it has run or was cancelled."""


class Clock(Protocol):
    """The source of time."""

    @property
    def slice_time(self) -> SliceTime:
        """The time that sliced work shares in each turn of the loop."""
        ...

    def now(self) -> float:
        """Return Unix seconds."""
        ...

    def monotonic(self) -> float:
        """Return seconds since some unknown moment; they never go back."""
        ...

    def call_later(self, delay: float, callback: Callable[[], object]) -> Handle:
        """Run `callback` once, `delay` seconds from now."""
        ...

    def call_soon(self, callback: Callable[[], object]) -> Handle:
        """Run `callback` once, in the next tick of the loop."""
        ...


def is_due(deadline: float, now: float) -> bool:
    """Return whether the timer of a deadline may have fired by now; both are seconds of `Clock.monotonic`."""
    return deadline <= now + _TIMER_SLACK


class LoopClock:
    """The clock of the machine and the timers of an event loop."""

    __slots__ = ("_loop", "call_soon", "slice_time")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        # The loop's own method: every tick with events calls it several times.
        self.call_soon: Callable[[Callable[[], object]], Handle] = loop.call_soon
        self.slice_time = SliceTime(self.monotonic, self.call_soon)

    # Bound without a wrapper method: every disconnect calls them several times.
    now = staticmethod(time.time)
    # Not loop.time(): uvloop rounds that to milliseconds.
    monotonic = staticmethod(time.monotonic)

    def call_later(self, delay: float, callback: Callable[[], object]) -> Handle:
        """Run `callback` once, `delay` seconds from now."""
        return self._loop.call_later(delay, callback)
