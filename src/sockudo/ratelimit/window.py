"""Counts in a sliding window for limits of many events a second, such as those of an app.

It keeps a counter and a moment instead of a list of moments, because every event of every client asks it.
"""

from __future__ import annotations

from math import ceil


class SecondWindow:
    """A limit of units in a second that starts with the first of them."""

    __slots__ = ("_end", "_used")

    def __init__(self) -> None:
        # Times are monotonic, so the first one is never before this.
        self._end = float("-inf")
        self._used = 0

    def take(self, cost: int, limit: int, now: float) -> bool:  # hot path
        """Take `cost` units of `limit` and return True, or none of them and return False; `now` never goes back."""
        if now < self._end:
            if self._used + cost > limit:
                return False
            self._used += cost
            return True
        if cost > limit:
            return False
        self._end = now + 1.0
        self._used = cost
        return True

    def add(self, cost: int, now: float) -> None:
        """Count `cost` units that were taken on another node, whatever the limit is."""
        if now >= self._end:
            self._end = now + 1.0
            self._used = 0
        self._used += cost

    def retry_after(self, now: float) -> int:
        """Return the whole seconds until the window is empty: 1 while it is running, 0 when it is over."""
        return ceil(self._end - now) if now < self._end else 0
