"""The time that all sliced work shares in one turn of the event loop, whoever causes it.

Clients, back ends, other nodes and webhooks cause work that is too long for one turn. Each kind has its own queue, and
all of them take their time from here, so a turn that is busy with one kind leaves less for the others. A kind that
wants another turn is called back, and those that are called last in one turn come first in the next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

# Seconds of one turn for all work together.
BUDGET: Final = 0.005


class SliceTime:
    """The time of one event loop, turn by turn; each clock has one.

    What a turn leaves stays for the next one: nobody wakes the loop to renew it. Where none is left, work waits for a
    turn, which begins with the whole budget.

    Args:
        monotonic: returns seconds.
        call_soon: calls a function in the next turn of the loop.
    """

    __slots__ = ("_call_soon", "_depth", "_is_awaited", "_left", "_monotonic", "_until", "_waiting")

    def __init__(self, monotonic: Callable[[], float], call_soon: Callable[[Callable[[], object]], object]) -> None:
        self._monotonic = monotonic
        self._call_soon = call_soon
        self._left = BUDGET
        # The moment at which the work that runs now must stop, and how much other work it is inside of.
        self._until = 0.0
        self._depth = 0
        self._waiting: deque[Callable[[], object]] = deque()
        self._is_awaited = False

    def begin(self) -> float:
        """Begin to work; return the moment to stop at. Work inside of other work stops when that does."""
        if not self._depth:
            self._until = self._monotonic() + self._left
        self._depth += 1
        return self._until

    def end(self) -> None:
        """End what `begin` began."""
        self._depth -= 1
        if not self._depth:
            left = self._until - self._monotonic()
            self._left = left if left > 0.0 else 0.0

    def take(self, seconds: float) -> bool:
        """Tell whether short work may be done at once; it takes that time of the turn, and no look at the clock.

        It may not inside of other work, nor where less is left.
        """
        # hot path
        if self._depth or self._left < seconds:
            return False
        self._left -= seconds
        return True

    def renew(self) -> None:
        """Give the whole budget again, where a turn is asked for that is not the loop's."""
        self._left = BUDGET

    def wake(self, go_on: Callable[[], object]) -> None:
        """Call a function in the next turn that has time, behind those that wait already."""
        self._waiting.append(go_on)
        self._see_to_next()

    def _see_to_next(self) -> None:
        if not self._is_awaited:
            self._is_awaited = True
            self._call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._is_awaited = False
        self._left = BUDGET
        waiting, self._waiting = self._waiting, deque()
        end = self.begin()
        try:
            while waiting and (now := self._monotonic()) < end:
                # An equal share of what is left for each; the last one has all of it.
                self._until = now + (end - now) / len(waiting)
                waiting.popleft()()
        finally:
            self._until = end
            self.end()
            # Also where one has failed: the loop logs the error, and the others go on in the next turn.
            if waiting:
                self._waiting.extendleft(reversed(waiting))
                self._see_to_next()
