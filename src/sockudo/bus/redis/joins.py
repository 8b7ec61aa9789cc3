"""Which names a subscriber has asked its server for, and which answers it still lacks.

Strategy: `wanted` says what should be joined. A change marks a name; when commands leave, the wanted names are compared
with those that were asked for last, and only the difference is asked for. The server answers in order, once for each
name of a command, so a name is settled when its last answer has come. A name that is joined, left and joined between
two comparisons costs no command.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import NamedTuple


class Difference(NamedTuple):
    """What to ask the server for; `settled` are changed names that need no command and lack no answer."""

    leave: list[bytes]
    join: list[bytes]
    settled: list[bytes]


class JoinAnswer(Enum):
    """What an answer about a name is."""

    LAST = auto()
    # More answers about the name are on their way.
    EARLIER = auto()
    # No command asked for it: the server acts by itself.
    UNASKED = auto()


class Joins:
    """The names of one connection."""

    def __init__(self, wanted: Mapping[bytes, str]) -> None:
        """Begin with nothing asked for; `wanted` belongs to the caller, which marks the names that change in it."""
        self._wanted = wanted
        # The names whose last command was a subscription.
        self._asked: set[bytes] = set()
        # How many answers each name lacks.
        self._unanswered: dict[bytes, int] = {}
        self._changed: dict[bytes, None] = {}

    def mark(self, name: bytes) -> None:
        """Compare a name next time, because it is wanted now or no longer."""
        self._changed[name] = None

    def mark_wanted(self) -> None:
        """Compare every wanted name next time, and no other."""
        self._changed = dict.fromkeys(self._wanted)

    def compare(self) -> Difference:
        """Return what to ask for; the caller asks for it now."""
        changed, self._changed = self._changed, {}
        difference = Difference([], [], [])
        for name in changed:
            if (name in self._wanted) != (name in self._asked):
                (difference.leave if name in self._asked else difference.join).append(name)
            elif name not in self._unanswered:
                difference.settled.append(name)
        self._asked.difference_update(difference.leave)
        self._asked.update(difference.join)
        for name in (*difference.leave, *difference.join):
            self._unanswered[name] = self._unanswered.get(name, 0) + 1
        return difference

    def answered(self, name: bytes) -> JoinAnswer:
        """Take an answer about a name."""
        left = self._unanswered.get(name, 0)
        if left == 0:
            return JoinAnswer.UNASKED
        if left > 1:
            self._unanswered[name] = left - 1
            return JoinAnswer.EARLIER
        del self._unanswered[name]
        return JoinAnswer.LAST

    def forget(self, name: bytes) -> None:
        """Note that the server refused a name or ended its subscription."""
        self._unanswered.pop(name, None)
        self._asked.discard(name)
