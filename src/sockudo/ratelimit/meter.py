"""Counts the units of one key that come close together, and writes them into its window together.

Units that come within a millisecond are one entry of the window, which leaves with the last of them. So a unit counts
for up to a millisecond longer, and never shorter. A key has one meter at a time, and whoever counts for the key in
another way has it write what it holds back first (`settle`). So nothing is admitted that is too much.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sockudo.ratelimit.base import Decision, Limit
from sockudo.ratelimit.table import Table

_TOGETHER_SECONDS: Final = 0.001
_NEVER: Final = float("-inf")


class Meter:
    """Counts for one key, in a table that its process has alone.

    Args:
        name: what the table knows the key by.
        monotonic: the clock, in seconds.
        consume: takes one unit as the limiter does without this meter.
    """

    __slots__ = (
        "_consume",
        "_entry",
        "_held",
        "_is_retired",
        "_last",
        "_limit",
        "_monotonic",
        "_name",
        "_remaining",
        "_requests",
        "_reset",
        "_table",
        "_until",
        "_window",
    )

    def __init__(
        self, table: Table, name: int, limit: Limit, monotonic: Callable[[], float], consume: Callable[[], Decision]
    ) -> None:
        self._table = table
        self._name = name
        self._limit = limit
        self._requests = limit.requests
        self._monotonic = monotonic
        self._consume = consume
        # Units that come until then are held back; the last came at this moment, and this many may come.
        self._until = _NEVER
        self._last = 0.0
        self._held = self._remaining = 0
        # Where they belong, and what decisions tell meanwhile.
        self._window = self._entry = self._reset = 0
        self._is_retired = False

    def take(self) -> Decision:
        """Take one unit, as `RateLimiter.consume` does."""
        # hot path
        now = self._monotonic()
        if now < self._until and self._remaining:
            self._last = now
            self._held += 1
            remaining = self._remaining = self._remaining - 1
            return Decision(True, self._requests, remaining, self._reset)
        return self._take(now)

    def settle(self) -> None:
        """Write what is held back."""
        # hot path
        self._until = _NEVER
        held, self._held = self._held, 0
        if not held:
            return
        table, last = self._table, self._last
        if not table.add_to(self._window, self._entry, held, last + self._limit.seconds):
            # The window is over for the unit that came first, and was forgotten.
            table.take(self._name, self._limit, held, last)

    def retire(self) -> None:
        """Write what is held back, and leave counting to `consume` from now on."""
        self.settle()
        self._is_retired = True

    def _take(self, now: float) -> Decision:
        # hot path
        if self._is_retired:
            return self._consume()
        self.settle()
        table = self._table
        decision = table.take(self._name, self._limit, 1, now)
        if decision.remaining and decision.allowed:
            self._window, self._entry = table.newest_entry(self._name, now)
            # Keys that share a window would not know of what another one holds back.
            if self._window:
                self._until, self._remaining = now + _TOGETHER_SECONDS, decision.remaining
                self._reset = decision.reset_after
        return decision
