"""Counts the units of one key that come close together, without looking for its window each time.

Units that come within a millisecond are one entry of the window, which leaves with the last of them. So a unit counts
for up to a millisecond longer, and never shorter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sockudo.ratelimit.base import Decision, Limit
from sockudo.ratelimit.table import Table

_TOGETHER_SECONDS: Final = 0.001


class Meter:
    """Counts for one key, in a table that its process has alone.

    Args:
        name: what the table knows the key by.
        monotonic: the clock, in seconds.
    """

    __slots__ = (
        "_entry",
        "_limit",
        "_monotonic",
        "_name",
        "_requests",
        "_reset",
        "_seconds",
        "_table",
        "_until",
        "_window",
    )

    def __init__(self, table: Table, name: int, limit: Limit, monotonic: Callable[[], float]) -> None:
        self._table = table
        self._name = name
        self._limit = limit
        self._requests, self._seconds = limit
        self._monotonic = monotonic
        # Units that come until then are added to this entry of this window.
        self._until = float("-inf")
        self._window = self._entry = self._reset = 0

    def take(self) -> Decision:
        """Take one unit, as `RateLimiter.consume` does."""
        # hot path
        now = self._monotonic()
        if now < self._until:
            used = self._table.add_to(self._window, self._entry, now + self._seconds, self._requests)
            if used:
                return Decision(True, self._requests, self._requests - used, self._reset)
        return self._take(now)

    def _take(self, now: float) -> Decision:
        # hot path
        decision = self._table.take(self._name, self._limit, 1, now)
        self._until = float("-inf")
        if decision.allowed:
            self._window, self._entry = self._table.newest_entry(self._name, now)
            self._until, self._reset = now + _TOGETHER_SECONDS, decision.reset_after
        return decision
