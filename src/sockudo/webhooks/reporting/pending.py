"""What the outside has not been told yet: the changes whose opposite receivers still believe.

A change that is undone before it is told leaves nothing here. What is gone may come back for a while, so it is held;
everything else is due at once. Synchronous, without a clock of its own; times are monotonic seconds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from math import inf
from typing import Final, NamedTuple, TypeAlias

from sockudo.timing.clock import is_due

Key: TypeAlias = tuple[str, str, str | None]
"""App id, channel, and user id or None for the channel as a whole."""

# A change is 300 bytes at most; what does not fit is not told.
MAX_PENDING: Final = 200_000


class Change(NamedTuple):
    """A change that is to be told.

    Attributes:
        is_there: the channel is occupied or the member is there; else they are gone.
        since: when that came to be, in Unix seconds.
        due: when it is to be told, monotonic.
        next_look: when it is looked at the next time, monotonic.
    """

    is_there: bool
    since: float
    due: float
    next_look: float


class Pending:
    """Changes by key: those that are held, soonest first, and those that are due, longest not looked at first.

    Attributes:
        dropped: how many did not fit.
    """

    def __init__(self, limit: int = MAX_PENDING) -> None:
        self.dropped = 0
        self._limit = limit
        # Ordered, because what is taken out is taken from the front: of hundreds of thousands, some at a time.
        self._held: OrderedDict[Key, Change] = OrderedDict()
        self._due: OrderedDict[Key, Change] = OrderedDict()
        # So many of them, from the first on, are to be looked at now, whatever they say themselves.
        self._now = 0

    def __len__(self) -> int:
        return len(self._held) + len(self._due)

    def __contains__(self, key: Key) -> bool:
        return key in self._due or key in self._held

    def __iter__(self) -> Iterator[tuple[Key, Change]]:
        yield from self._due.items()
        yield from self._held.items()

    def find(self, key: Key) -> Change | None:
        """Return a change, or None."""
        return self._due.get(key) or self._held.get(key)

    def hold(self, key: Key, change: Change) -> None:
        """Keep a change until it is due; all are held equally long, so that they come due in this order."""
        self._put(self._held, key, change)

    def put(self, key: Key, change: Change) -> None:
        """Keep a change that is due, behind the others."""
        self._put(self._due, key, change)

    def discard(self, key: Key) -> bool:
        """Forget a change; tell whether it was there."""
        return self._due.pop(key, None) is not None or self._held.pop(key, None) is not None

    def clear(self) -> None:
        """Forget everything."""
        self._held.clear()
        self._due.clear()
        self._now = 0

    def take_released(self, now: float, limit: int) -> list[tuple[Key, Change]]:
        """Take out at most `limit` changes that were held long enough."""
        return _take(self._held, now, limit)

    def take_due(self, now: float, limit: int) -> list[tuple[Key, Change]]:
        """Take out at most `limit` due changes that are to be looked at."""
        if not self._now:
            return _take(self._due, now, limit)
        taken = _take(self._due, inf, min(limit, self._now))
        self._now = self._now - len(taken) if self._due else 0
        return taken

    def take_one(self, key: Key) -> Change | None:
        """Take out a change that is due."""
        return self._due.pop(key, None)

    def release(self) -> None:
        """Hold nothing any longer."""
        self._due = OrderedDict({**self._held, **self._due})
        self._held.clear()
        self.look_at_all()

    def look_at_all(self) -> None:
        """Let everything that is due be looked at now."""
        self._now = len(self._due)

    def next_look(self) -> float | None:
        """Return when something is to be done next; None while nothing waits."""
        if self._now and self._due:
            return -inf
        times = [next(iter(changes.values())).next_look for changes in (self._held, self._due) if changes]
        return min(times, default=None)

    def _put(self, changes: OrderedDict[Key, Change], key: Key, change: Change) -> None:
        if len(self) >= self._limit:
            self.dropped += 1
        else:
            changes[key] = change


def _take(changes: OrderedDict[Key, Change], now: float, limit: int) -> list[tuple[Key, Change]]:
    taken: list[tuple[Key, Change]] = []
    for key, change in changes.items():
        if not is_due(change.next_look, now) or len(taken) >= limit:
            break
        taken.append((key, change))
    for key, _ in taken:
        del changes[key]
    return taken
