"""Does the work that other nodes cause in slices: a bounded part in a turn of the event loop, the rest in later turns.

Work is an iterator: each step does a little and yields its cost, in units of about 20 microseconds. The work of one
lane is done in its order; the lanes take turns. A turn ends after a number of units, or when the time that it has for
sliced work of all kinds is over, so that clients never wait long, however many messages of other nodes arrive at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from sockudo.timing.clock import Clock

MOST_UNITS: Final = 250
# The most work that may wait, of all lanes together.
MOST_WAITING: Final = 10_000
MOST_WAITING_BYTES: Final = 64 * 1024 * 1024

CostedSteps: TypeAlias = Iterator[int]


class RemoteWork:
    """Does work at once as far as this turn allows, and keeps the rest.

    Args:
        failed: called with an exception that ended a piece of work; the others go on.
        emptied: called when all waiting work of a lane is done.
    """

    def __init__(
        self, clock: Clock, failed: Callable[[Exception], None], emptied: Callable[[], object] = lambda: None
    ) -> None:
        self._now = clock.monotonic
        self._time = clock.slice_time
        self._failed = failed
        self._emptied = emptied
        self._lanes: dict[str, deque[tuple[CostedSteps, int]]] = {}
        self._waiting = self._bytes = 0
        # The units of this turn, and when it ends.
        self._spent = 0
        self._until = 0.0
        # Whether another turn has been asked for.
        self._is_awaited = False

    def is_busy(self, lane: str) -> bool:
        """Return whether work of a lane waits."""
        return lane in self._lanes

    def run(self, lane: str, steps: CostedSteps, size: int | None = None) -> bool:
        """Do work behind all other work of its lane; return False if too much waits and it is dropped.

        Args:
            size: bytes that are kept until it is done; None for work that must not be dropped.
        """
        has_begun = False
        if lane not in self._lanes and self._spent < MOST_UNITS:
            self._until = self._time.begin()
            try:
                has_begun = self._has_time()
                if has_begun and self._go_on(steps):
                    return True
            finally:
                self._time.end()
        if size is None:
            size = 0
        elif not has_begun and (self._waiting >= MOST_WAITING or self._bytes + size > MOST_WAITING_BYTES):
            return False
        self._lanes.setdefault(lane, deque()).append((steps, size))
        self._waiting += 1
        self._bytes += size
        self._see_to_rest()
        return True

    def clear(self, lane: str) -> None:
        """Forget the work of a lane."""
        waiting = self._lanes.pop(lane, None)
        if waiting is not None:
            self._waiting -= len(waiting)
            self._bytes -= sum(size for _, size in waiting)
            waiting.clear()

    def _see_to_rest(self) -> None:
        if self._lanes and not self._is_awaited:
            self._is_awaited = True
            self._time.wake(self._turn)

    def _turn(self) -> None:
        self._is_awaited, self._spent = False, 0
        self._until = self._time.begin()
        try:
            self._take_turns()
        finally:
            self._time.end()
        self._see_to_rest()

    def _take_turns(self) -> None:
        while self._lanes and self._has_time():
            lane, waiting = next(iter(self._lanes.items()))
            # The lane goes behind the others, and stays there while it works, because work may add more work.
            self._lanes[lane] = self._lanes.pop(lane)
            steps, size = waiting[0]
            if self._step(steps) and waiting and waiting[0][0] is steps:
                waiting.popleft()
                self._waiting -= 1
                self._bytes -= size
                if not waiting:
                    del self._lanes[lane]
                    self._emptied()

    def _go_on(self, steps: CostedSteps) -> bool:
        """Take steps as long as there is time; return whether the work is done."""
        while not self._step(steps):
            if not self._has_time():
                return False
        return True

    def _step(self, steps: CostedSteps) -> bool:
        """Take one step; return whether it was the last."""
        try:
            units = next(steps, None)
        # An error in one message must not stop the others.
        except Exception as error:
            self._failed(error)
            return True
        self._spent += 1 if units is None else units
        return units is None

    def _has_time(self) -> bool:
        return self._spent < MOST_UNITS and self._now() < self._until
