"""Keeps the transitions that are not reported to webhook receivers yet.

A transition that is undone before it is reported leaves nothing here. A channel or member that is gone may come back,
so its transition is held for a while; every other one is due at once.

Rules: synchronous, without a clock of its own; times are monotonic seconds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from math import inf
from typing import Final, NamedTuple, TypeAlias

from sockudo.timing.clock import is_due

Key: TypeAlias = tuple[str, str, str | None]
"""App id, channel, and user id or None for the channel as a whole."""

# The most transitions, of 300 bytes at most each; further ones are not reported.
MAX_PENDING: Final = 200_000


class Transition(NamedTuple):
    """A pending transition.

    Attributes:
        is_there: the channel is occupied or the member is there; else they are gone.
        since: when that happened, in Unix seconds.
        due: when its owner should report it, monotonic.
        next_look: when this node checks it next, monotonic.
    """

    is_there: bool
    since: float
    due: float
    next_look: float


class Pending:
    """Transitions by key: held ones, soonest first, and due ones, the longest unchecked first.

    Attributes:
        dropped: the number of transitions that did not fit.
    """

    def __init__(self, limit: int = MAX_PENDING) -> None:
        self.dropped = 0
        self._limit = limit
        # Ordered, because transitions are taken from the front: of hundreds of thousands, some at a time.
        self._held: OrderedDict[Key, Transition] = OrderedDict()
        self._due: OrderedDict[Key, Transition] = OrderedDict()
        # The number of due transitions, from the first on, to check now, whatever their `next_look`.
        self._now = 0

    def __len__(self) -> int:
        return len(self._held) + len(self._due)

    def __contains__(self, key: Key) -> bool:
        return key in self._due or key in self._held

    def __iter__(self) -> Iterator[tuple[Key, Transition]]:
        yield from self._due.items()
        yield from self._held.items()

    def find(self, key: Key) -> Transition | None:
        """Return a transition, or None."""
        return self._due.get(key) or self._held.get(key)

    def hold(self, key: Key, transition: Transition) -> None:
        """Keep a transition until it is due; all are held equally long, so they come due in this order."""
        self._put(self._held, key, transition)

    def put(self, key: Key, transition: Transition) -> None:
        """Keep a transition that is due, behind the others."""
        self._put(self._due, key, transition)

    def discard(self, key: Key) -> bool:
        """Forget a transition; return whether it was there."""
        return self._due.pop(key, None) is not None or self._held.pop(key, None) is not None

    def clear(self) -> None:
        """Forget everything."""
        self._held.clear()
        self._due.clear()
        self._now = 0

    def take_released(self, now: float, limit: int) -> list[tuple[Key, Transition]]:
        """Remove and return at most `limit` transitions that were held long enough."""
        return _take_first(self._held, now, limit)

    def take_due(self, now: float, limit: int) -> list[tuple[Key, Transition]]:
        """Remove and return at most `limit` due transitions whose next check has come."""
        if not self._now:
            return _take_first(self._due, now, limit)
        taken = _take_first(self._due, inf, min(limit, self._now))
        self._now = self._now - len(taken) if self._due else 0
        return taken

    def take_one(self, key: Key) -> Transition | None:
        """Remove and return a due transition."""
        return self._due.pop(key, None)

    def release(self) -> None:
        """Make all held transitions due."""
        self._due = OrderedDict({**self._held, **self._due})
        self._held.clear()
        self.look_at_all()

    def look_at_all(self) -> None:
        """Check all due transitions now."""
        self._now = len(self._due)

    def next_look(self) -> float | None:
        """Return when the next transition must be checked; None if there is none."""
        if self._now and self._due:
            return -inf
        times = [next(iter(transitions.values())).next_look for transitions in (self._held, self._due) if transitions]
        return min(times, default=None)

    def _put(self, transitions: OrderedDict[Key, Transition], key: Key, transition: Transition) -> None:
        if len(self) >= self._limit:
            self.dropped += 1
        else:
            transitions[key] = transition


def _take_first(transitions: OrderedDict[Key, Transition], now: float, limit: int) -> list[tuple[Key, Transition]]:
    taken: list[tuple[Key, Transition]] = []
    for key, transition in transitions.items():
        if not is_due(transition.next_look, now) or len(taken) >= limit:
            break
        taken.append((key, transition))
    for key, _ in taken:
        del transitions[key]
    return taken
