"""The rate limiter of one process: an exact sliding window, by the moving window strategy of `limits`.

The strategy is the library's and the storage is ours, because neither of its own storages fits a server that is asked
for every request (measured with limits 5.8):

* `limits.storage.MemoryStorage` starts a thread for its expiry up to a hundred times a second and never forgets the
  key of an idle client.
* `limits.aio.storage.MemoryStorage` starts a task that goes through every key, each in a worker thread: 16 to 25 us
  of CPU for a decision instead of 6, and the task may still be running when the limiter is closed.
* Both read `time.time()`, so a step of the clock opens or shuts every window, and both count a unit that is exactly a
  window old.

Here nothing runs in the background. An idle key is forgotten by the decisions after its window is over, and
there are never more than `max_keys` with `max_units`: beyond that the key that was idle for longest starts afresh.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from itertools import repeat
from math import ceil
from typing import Final, NoReturn

from limits import RateLimitItemPerSecond
from limits.storage import MovingWindowSupport, Storage
from limits.strategies import MovingWindowRateLimiter

from sockudo.clock import Clock
from sockudo.deadlines import Deadlines
from sockudo.ratelimit.base import Decision, Limit

_MAX_KEYS: Final = 100_000
# Each is a number of 32 bytes at most.
_MAX_UNITS: Final = 2_000_000
# Windows that one decision forgets: thousands may end in the same second, and nobody is to wait for that.
_FORGOTTEN_AT_ONCE: Final = 1000


class MemoryRateLimiter:
    """Decides at once, from what this process has seen."""

    __slots__ = ("_clock", "_strategy", "_windows")

    def __init__(self, clock: Clock, *, max_keys: int = _MAX_KEYS, max_units: int = _MAX_UNITS) -> None:
        self._clock = clock
        self._windows = _Windows(clock, max_keys, max_units)
        self._strategy = MovingWindowRateLimiter(self._windows)

    @property
    def units(self) -> int:
        """How many units are remembered, of all keys together."""
        return self._windows.units

    @property
    def size(self) -> int:
        """How many keys are remembered. Not `__len__`: a limiter that has seen nobody is not a missing one."""
        return self._windows.size

    async def start(self) -> None:
        """Do nothing."""

    def consume(self, key: str, limit: Limit, cost: int = 1) -> Decision:
        item = RateLimitItemPerSecond(limit.requests, limit.seconds)
        allowed = self._strategy.hit(item, key, cost=cost)
        reset_time, remaining = self._strategy.get_window_stats(item, key)
        reset_after = ceil(reset_time - self._clock.monotonic())
        # Rounding can make the difference of two moments a hair longer than the window.
        return Decision(allowed, limit.requests, remaining, min(max(1, reset_after), limit.seconds))

    def check(self) -> None:
        """Memory can always be used."""

    async def aclose(self) -> None:
        self._windows.reset()


class _Window:
    """When each unit of one key was taken, oldest first."""

    __slots__ = ("deadline", "key", "seconds", "taken")

    def __init__(self, key: str, seconds: int) -> None:
        self.key = key
        self.seconds = seconds
        self.taken: deque[float] = deque()
        self.deadline = 0

    def slide(self, now: float) -> int:
        """Forget the units that have left the window and return how many are in it."""
        taken, seconds = self.taken, self.seconds
        # Half open: a unit that is exactly a window old is out, so waiting for `reset_after` is always enough.
        while taken and taken[0] + seconds <= now:
            taken.popleft()
        return len(taken)


class _Windows(Storage, MovingWindowSupport):
    """A storage of `limits` for moving windows only. Its keys hold the limit, so a window never changes its length."""

    STORAGE_SCHEME = None

    def __init__(self, clock: Clock, max_keys: int, max_units: int) -> None:
        super().__init__()
        self._clock = clock
        self._max_keys = max_keys
        self._max_units = max_units
        # Of all windows together.
        self._units = 0
        # Least recently used first.
        self._windows: OrderedDict[str, _Window] = OrderedDict()
        self._ending: Deadlines[_Window] = Deadlines(int(clock.monotonic()))
        # Those whose time has come and that were not looked at yet.
        self._ended: deque[_Window] = deque()

    @property
    def size(self) -> int:
        return len(self._windows)

    @property
    def units(self) -> int:
        return self._units

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:  # hot path
        now = self._clock.monotonic()
        self._forget_idle(now)
        if amount > limit:
            return False
        window = self._windows.get(key) or self._open(key, expiry, now)
        # A refusal counts as use too: whoever hammers must not be the one who is forgotten.
        self._windows.move_to_end(key)
        if self._slide(window, now) + amount > limit:
            return False
        window.taken.extend(repeat(now, amount))
        self._units += amount
        if self._units > self._max_units:
            self._make_room(window)
        return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        now = self._clock.monotonic()
        window = self._windows.get(key)
        if window is None or not self._slide(window, now):
            return now, 0
        return window.taken[0], len(window.taken)

    def clear(self, key: str) -> None:
        window = self._windows.pop(key)
        self._units -= len(window.taken)
        self._ending.discard(window)

    def reset(self) -> int:
        size = len(self._windows)
        for key in list(self._windows):
            self.clear(key)
        return size

    def check(self) -> bool:
        return True

    def _open(self, key: str, seconds: int, now: float) -> _Window:
        if len(self._windows) >= self._max_keys:
            self.clear(next(iter(self._windows)))
        window = self._windows[key] = _Window(key, seconds)
        self._ending.schedule(window, ceil(now + seconds))
        return window

    def _slide(self, window: _Window, now: float) -> int:
        before = len(window.taken)
        left = window.slide(now)
        self._units -= before - left
        return left

    def _make_room(self, used: _Window) -> None:
        """Forget the windows that were idle for longest, and never the one that is used now."""
        while self._units > self._max_units and (oldest := next(iter(self._windows))) != used.key:
            self.clear(oldest)

    def _forget_idle(self, now: float) -> None:
        self._ended.extend(self._ending.due(int(now)))
        for _ in range(min(len(self._ended), _FORGOTTEN_AT_ONCE)):
            window = self._ended.popleft()
            if self._windows.get(window.key) is not window:
                continue
            if self._slide(window, now):
                # Used since it was scheduled. Moving it only now is cheaper than with every unit.
                self._ending.schedule(window, ceil(window.taken[-1] + window.seconds))
            else:
                del self._windows[window.key]

    # What the library asks of every storage for its other strategies.

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        return ()

    def incr(self, key: str, expiry: int, amount: int = 1) -> NoReturn:
        raise NotImplementedError

    def get(self, key: str) -> NoReturn:
        raise NotImplementedError

    def get_expiry(self, key: str) -> NoReturn:
        raise NotImplementedError
