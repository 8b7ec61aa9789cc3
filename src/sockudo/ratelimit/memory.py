"""The rate limiter of one process: an exact sliding window.

Nothing runs in the background. An idle key is forgotten by the first decision after its window is over, and there are
never more than `max_keys`: beyond that the key that was idle for longest starts afresh. A library was measured beside
this and costs twice as much CPU for a decision, because its window needs a storage that is exactly this one.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from itertools import repeat
from math import ceil
from typing import Final

from sockudo.clock import Clock
from sockudo.deadlines import Deadlines
from sockudo.ratelimit.base import Decision, Limit

_MAX_KEYS: Final = 100_000


class MemoryRateLimiter:
    """Decides at once, from what this process has seen."""

    __slots__ = ("_clock", "_ending", "_max_keys", "_windows")

    def __init__(self, clock: Clock, *, max_keys: int = _MAX_KEYS) -> None:
        self._clock = clock
        self._max_keys = max_keys
        # Least recently used first.
        self._windows: OrderedDict[tuple[str, Limit], _Window] = OrderedDict()
        self._ending: Deadlines[_Window] = Deadlines(int(clock.monotonic()))

    @property
    def size(self) -> int:
        """How many keys are remembered. Not `__len__`: a limiter that has seen nobody is not a missing one."""
        return len(self._windows)

    async def start(self) -> None:
        """Do nothing."""

    def consume(self, key: str, limit: Limit, cost: int = 1) -> Decision:  # hot path
        now = self._clock.monotonic()
        self._forget_idle(now)
        counted = (key, limit)
        window = self._windows.get(counted)
        if window is None:
            if cost > limit.requests:
                return Decision(False, limit.requests, limit.requests, limit.seconds)
            window = self._open(counted, now)
        else:
            # A refusal counts as use too: a client that hammers must not be the one that is forgotten.
            self._windows.move_to_end(counted)
        return window.take(cost, now)

    def check(self) -> None:
        """Memory can always be used."""

    async def aclose(self) -> None:
        for counted in list(self._windows):
            self._forget(counted)

    def _open(self, counted: tuple[str, Limit], now: float) -> _Window:
        if len(self._windows) >= self._max_keys:
            self._forget(next(iter(self._windows)))
        window = self._windows[counted] = _Window(counted)
        self._ending.schedule(window, ceil(now + window.limit.seconds))
        return window

    def _forget(self, counted: tuple[str, Limit]) -> None:
        self._ending.discard(self._windows.pop(counted))

    def _forget_idle(self, now: float) -> None:
        for window in self._ending.due(int(now)):
            if window.slide(now):
                # Used since it was scheduled. Moving it only now is cheaper than with every unit.
                self._ending.schedule(window, ceil(window.taken[-1] + window.limit.seconds))
            else:
                del self._windows[window.counted]


class _Window:
    """When each unit of one key was taken, oldest first."""

    __slots__ = ("counted", "deadline", "limit", "taken")

    def __init__(self, counted: tuple[str, Limit]) -> None:
        self.counted = counted
        self.limit = counted[1]
        self.taken: deque[float] = deque()
        self.deadline = 0

    def take(self, cost: int, now: float) -> Decision:
        """Take all units or none."""
        requests, seconds = self.limit.requests, self.limit.seconds
        used = self.slide(now)
        allowed = used + cost <= requests
        if allowed:
            self.taken.extend(repeat(now, cost))
            used += cost
        left = self.taken[0] + seconds - now if used else seconds
        # Rounding can make the difference of two moments a hair longer than the window.
        return Decision(allowed, requests, requests - used, min(max(1, ceil(left)), seconds))

    def slide(self, now: float) -> int:
        """Forget the units that have left the window and return how many are in it."""
        taken, seconds = self.taken, self.limit.seconds
        # Half open: a unit that is exactly a window old is out, so waiting for `reset_after` is always enough.
        while taken and taken[0] + seconds <= now:
            taken.popleft()
        return len(taken)
