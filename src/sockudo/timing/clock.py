"""The interface of a clock: time and timers, which tests replace.

Whatever waits or measures is given a `Clock`, so that its tests move time by hand and never sleep. Intervals are
measured with `monotonic()`; `now()` is only for what leaves the process, because an operator or NTP may step it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol

# Timers fire a little early, by the resolution of the clock.
_TIMER_SLACK: Final = 0.001


class Handle(Protocol):
    """A callback that was scheduled and has perhaps not run yet."""

    def cancel(self) -> None:
        """Keep the callback from running; does nothing when it has run or was cancelled."""


class Clock(Protocol):
    """Where time comes from."""

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
    """Tell whether the timer of a deadline may have fired by now; both are seconds of `Clock.monotonic`."""
    return deadline <= now + _TIMER_SLACK


class LoopClock:
    """The clock of the machine and the timers of an event loop."""

    __slots__ = ("_loop",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    # Without a method of ours around them: every disconnect asks several times.
    now = staticmethod(time.time)
    # Not loop.time(): uvloop rounds that to milliseconds.
    monotonic = staticmethod(time.monotonic)

    def call_later(self, delay: float, callback: Callable[[], object]) -> Handle:
        """Run `callback` once, `delay` seconds from now."""
        return self._loop.call_later(delay, callback)

    def call_soon(self, callback: Callable[[], object]) -> Handle:
        """Run `callback` once, in the next tick of the loop."""
        return self._loop.call_soon(callback)
