"""Runs long work for one peer in slices, so that it never blocks the event loop for long.

Work is an iterator of small steps. It begins at once where this turn of the loop has time for it, and goes on in the
next turns where it has not; all work shares that time, first come, first served.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from sockudo.timing.clock import Clock, Handle

# Seconds in one turn. A turn may take four times as long, with all else that is done in it.
BUDGET: Final = 0.005


class Slices:
    """Carries out work in the order given, a slice in each turn of the loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: deque[Iterator[None]] = deque()
        # What may still be spent before other work gets its turn.
        self._left = BUDGET
        # Work is being carried out, or goes on in the next turn: what is new waits behind it.
        self._is_busy = False
        self._next: Handle | None = None

    @property
    def is_idle(self) -> bool:
        """Whether all work is done."""
        return not self._waiting

    def run(self, steps: Iterator[None]) -> None:
        """Carry out every step, now or in the next turns; no step waits for anything."""
        self._waiting.append(steps)
        if not self._is_busy:
            self._work()

    def next_turn(self) -> None:
        """Carry out the next slice, which otherwise comes with the next turn of the loop."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._left = BUDGET
        self._work()

    def _work(self) -> None:
        waiting, monotonic = self._waiting, self._clock.monotonic
        self._is_busy = True
        began = monotonic()
        until = began + self._left
        try:
            while waiting:
                for _ in waiting[0]:
                    if monotonic() >= until:
                        return
                waiting.popleft()
        except BaseException:
            # Work that fails ends, and all other work goes on.
            waiting.popleft()
            raise
        finally:
            if waiting:
                self._next = self._clock.call_soon(self.next_turn)
            else:
                self._is_busy = False
                self._left = max(0.0, self._left - (monotonic() - began))
