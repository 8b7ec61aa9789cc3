"""A timing wheel: many deadlines behind one timer.

The wheel has one-second buckets: the owner calls `due()` about once a second and gets the items that have come due, so
a hundred thousand connections need one timer. Scheduling, moving and discarding are O(1). Deadlines are precise to the
second. An owner whose items take long asks for some of them at a time; the others stay on the wheel until it asks
again.

Rules: an item knows its own bucket (`deadline`), so it belongs to one wheel at a time. The wheel holds an item only
while it is scheduled.
"""

from __future__ import annotations

import sys
from typing import Any, Final, Generic, Protocol, TypeVar


class Scheduled(Protocol):
    """An object that can be scheduled: hashable by identity, and with an attribute for its deadline."""

    deadline: int
    """The second the item is scheduled for, 0 when it is not. Only the wheel changes it."""


T = TypeVar("T", bound=Scheduled)

_NOTHING: Final[set[Any]] = set()


class Deadlines(Generic[T]):
    """Items, each with the second at which it comes due."""

    __slots__ = ("_asked", "_buckets", "_now")

    def __init__(self, now: int = 0) -> None:
        self._buckets: dict[int, set[T]] = {}
        # The second up to which the buckets are emptied, and the second up to which the owner has asked.
        self._now = now
        self._asked = now

    def __len__(self) -> int:
        return sum(map(len, self._buckets.values()))

    def schedule(self, item: T, at: int) -> None:
        """Let `item` come due at second `at`, or in the next tick if that has passed; move it if it is scheduled."""
        if item.deadline:
            if item.deadline == at:
                return
            self.discard(item)
        self.add(item, at)

    def add(self, item: T, at: int) -> None:
        """Schedule an `item` that is not scheduled, as `schedule` does."""
        # hot path
        # An emptied bucket is never read again, so no item may go into it, nor into one that is being emptied, which
        # would never end.
        if at <= self._asked:
            at = self._asked + 1
        bucket = self._buckets.get(at)
        if bucket is None:
            bucket = self._buckets[at] = set()
        bucket.add(item)
        item.deadline = at

    def discard(self, item: T) -> None:
        """Forget `item`; do nothing if it is not scheduled."""
        # hot path
        at = item.deadline
        if at == 0:
            return
        bucket = self._buckets[at]
        bucket.remove(item)
        if not bucket:
            del self._buckets[at]
        item.deadline = 0

    def due(self, now: int, limit: int = sys.maxsize) -> list[T]:
        """Return every item whose second has come, earliest second first; they are no longer scheduled.

        If there are more than `limit`, the others come with the next calls.
        """
        self._asked = max(self._asked, now)
        items: list[T] = []
        for second in self._passed(now):
            bucket = self._buckets.get(second, _NOTHING)
            while bucket and len(items) < limit:
                items.append(bucket.pop())
            if bucket:
                break
            self._buckets.pop(second, None)
            self._now = second
        else:
            self._now = max(self._now, now)
        for item in items:
            item.deadline = 0
        return items

    def _passed(self, now: int) -> range | list[int]:
        """Return the seconds after the last tick up to `now`."""
        if now - self._now <= len(self._buckets):
            return range(self._now + 1, now + 1)
        # The clock jumped: there are fewer buckets than seconds.
        return sorted(second for second in self._buckets if second <= now)
