"""A clock that stands still until a test moves it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Final

from sockudo.timing.slice_time import SliceTime

START: Final = 1_700_000_000.0


class FakeHandle:
    """A callback of the fake clock."""

    def __init__(self, callback: Callable[[], object]) -> None:
        self._callback: Callable[[], object] | None = callback

    @property
    def is_pending(self) -> bool:
        return self._callback is not None

    def cancel(self) -> None:
        self._callback = None

    def run(self) -> None:
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class FakeClock:
    """Time as a test sets it; callbacks run inside `advance()` and `run_soon()`, never on their own."""

    def __init__(self, now: float = START, monotonic: float = 1000.0) -> None:
        self._now = now
        self._monotonic = monotonic
        self._soon: deque[FakeHandle] = deque()
        # The number keeps callbacks of one moment in the order in which they were scheduled.
        self._later: list[tuple[float, int, FakeHandle]] = []
        self._numbers = count()
        self.slice_time = SliceTime(self.monotonic, self.call_soon)

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    @property
    def timers(self) -> int:
        """How many callbacks wait for their moment."""
        return sum(handle.is_pending for _, _, handle in self._later)

    def call_later(self, delay: float, callback: Callable[[], object]) -> FakeHandle:
        handle = FakeHandle(callback)
        heappush(self._later, (self._monotonic + delay, next(self._numbers), handle))
        return handle

    def call_soon(self, callback: Callable[[], object]) -> FakeHandle:
        handle = FakeHandle(callback)
        self._soon.append(handle)
        return handle

    def set_now(self, now: float) -> None:
        """Step the wall clock, as an operator or NTP does; no callback runs."""
        self._now = now

    def set_monotonic(self, monotonic: float) -> None:
        """Start the monotonic clock somewhere else; no callback runs and those scheduled keep their moment."""
        self._monotonic = monotonic

    def run_soon(self) -> int:
        """Run one tick: what `call_soon` has collected, but not what that collects; return how much that was."""
        count = len(self._soon)
        for _ in range(count):
            self._soon.popleft().run()
        return count

    def advance(self, seconds: float) -> None:
        """Let time pass: run every callback that comes due, at its moment and in order, and all the ticks between."""
        end = self._monotonic + seconds
        self._settle()
        while self._later and self._later[0][0] <= end:
            at, _, handle = heappop(self._later)
            self._move_to(max(at, self._monotonic))
            handle.run()
            self._settle()
        self._move_to(end)

    def _settle(self) -> None:
        while self._soon:
            self.run_soon()

    def _move_to(self, monotonic: float) -> None:
        self._now += monotonic - self._monotonic
        self._monotonic = monotonic


class TickingClock(FakeClock):
    """A clock on which time passes whenever somebody looks at it: `step` seconds for each look."""

    def __init__(self, step: float) -> None:
        super().__init__()
        self._step = step

    def monotonic(self) -> float:
        self._monotonic += self._step
        return self._monotonic
