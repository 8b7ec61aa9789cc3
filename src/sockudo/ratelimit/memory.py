"""The rate limiter of one process: an exact sliding window.

Nothing runs in the background. Each decision forgets some idle keys whose windows are over. There are never more than
`max_keys` with `max_units`: beyond that the key that was idle for longest starts afresh. The `limits` library costs
twice as much CPU for a decision, because its window would only forward to a storage like this one.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from itertools import repeat
from math import ceil
from typing import Final

from sockudo.ratelimit.base import Decision, Limit
from sockudo.timing.clock import Clock
from sockudo.timing.deadlines import Deadlines

_MAX_KEYS: Final = 100_000
# Each is a number of 32 bytes at most.
_MAX_UNITS: Final = 2_000_000
# The most ended windows that one decision checks.
_FORGOTTEN_AT_ONCE: Final = 1000


class MemoryRateLimiter:
    """Decides at once, from the requests of this process."""

    __slots__ = ("_clock", "_ending", "_max_keys", "_max_units", "_windows", "units")

    def __init__(self, clock: Clock, *, max_keys: int = _MAX_KEYS, max_units: int = _MAX_UNITS) -> None:
        self._clock = clock
        self._max_keys = max_keys
        self._max_units = max_units
        # The number of remembered units of all keys together.
        self.units = 0
        # Least recently used first.
        self._windows: OrderedDict[tuple[str, Limit], _Window] = OrderedDict()
        self._ending: Deadlines[_Window] = Deadlines(int(clock.monotonic()))

    @property
    def size(self) -> int:
        """The number of remembered keys. Not `__len__`: a limiter without keys is not a missing one."""
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
            # A refusal counts as use too: the limiter must not forget a client that keeps trying.
            self._windows.move_to_end(counted)
        before = len(window.taken)
        decision = window.take(cost, now)
        self.units += len(window.taken) - before
        if self.units > self._max_units:
            self._make_room(counted)
        return decision

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
        window = self._windows.pop(counted)
        self.units -= len(window.taken)
        self._ending.discard(window)

    def _make_room(self, used: tuple[str, Limit]) -> None:
        """Forget the windows that were idle for longest, but never the one in use."""
        while self.units > self._max_units and (oldest := next(iter(self._windows))) != used:
            self._forget(oldest)

    def _forget_idle(self, now: float) -> None:
        for window in self._ending.due(int(now), _FORGOTTEN_AT_ONCE):
            before = len(window.taken)
            left = window.slide(now)
            self.units -= before - left
            if left:
                # The key was used since it was scheduled. To move it only now is cheaper than with every unit.
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
