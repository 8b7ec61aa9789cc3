"""The rate limiter of one process: an exact sliding window, by the moving window strategy of `limits`.

The strategy is the library's and the storage is ours, because neither of its own storages fits a server that is asked
for every request (measured with limits 5.8):

* `limits.storage.MemoryStorage` starts a thread for its expiry up to a hundred times a second and never forgets the
  key of an idle client.
* `limits.aio.storage.MemoryStorage` starts a task that goes through every key, each in a worker thread: 16 to 25 us
  of CPU for a decision instead of 6, and the task may still be running when the limiter is closed.
* Both read `time.time()`, so a step of the clock opens or shuts every window, and both count a unit that is exactly a
  window old.

Here nothing runs in the background. An idle key is forgotten by the first decision after its window is over, and
there are never more than `max_keys`: beyond that the key that was idle for longest starts afresh.
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


class MemoryRateLimiter:
    """Decides at once, from what this process has seen."""

    __slots__ = ("_clock", "_strategy", "_windows")

    def __init__(self, clock: Clock, *, max_keys: int = _MAX_KEYS) -> None:
        self._clock = clock
        self._windows = _Windows(clock, max_keys)
        self._strategy = MovingWindowRateLimiter(self._windows)

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

    def __init__(self, clock: Clock, max_keys: int) -> None:
        super().__init__()
        self._clock = clock
        self._max_keys = max_keys
        # Least recently used first.
        self._windows: OrderedDict[str, _Window] = OrderedDict()
        self._ending: Deadlines[_Window] = Deadlines(int(clock.monotonic()))

    @property
    def size(self) -> int:
        return len(self._windows)

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:  # hot path
        now = self._clock.monotonic()
        self._forget_idle(now)
        if amount > limit:
            return False
        window = self._windows.get(key) or self._open(key, expiry, now)
        # A refusal counts as use too: whoever hammers must not be the one who is forgotten.
        self._windows.move_to_end(key)
        if window.slide(now) + amount > limit:
            return False
        window.taken.extend(repeat(now, amount))
        return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        now = self._clock.monotonic()
        window = self._windows.get(key)
        if window is None or not window.slide(now):
            return now, 0
        return window.taken[0], len(window.taken)

    def clear(self, key: str) -> None:
        self._ending.discard(self._windows.pop(key))

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

    def _forget_idle(self, now: float) -> None:
        for window in self._ending.due(int(now)):
            if window.slide(now):
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
