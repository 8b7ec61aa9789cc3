"""Shares the time of one turn of the event loop among all sockets.

One turn of the loop reads every socket that has bytes, and one of them many times. Each protocol therefore counts what
it reads on the budget that all of them share. A protocol whose bytes the budget does not admit keeps them, pauses its
socket and waits here; the next turns let the waiting ones proceed in order, each for a short share of the time.

The ordinary read costs one subtraction and one comparison of integers (`left`). The clock is looked at once for every
`GRANT` of cost, and only then is the end of the turn asked for.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Protocol

from sockudo.timing.clock import Clock

# Cost, in bytes, that is admitted between two looks at the clock; a read costs its bytes and `READ_COST`.
GRANT: Final = 4096
READ_COST: Final = 256

# Seconds: all sockets in one turn; those that wait, of this; one socket at a time.
_TURN: Final = 0.010
_WAITING: Final = 0.005
_SHARE: Final = 0.0005


class Waiting(Protocol):
    """A socket that keeps bytes it has read."""

    def proceed(self) -> None:
        """Carry out a part of what is kept; wait again for the rest."""

    def abort(self) -> None:
        """Drop the socket at once."""


class TurnBudget:
    """The time of the sockets of one event loop, turn by turn.

    Attributes:
        left: the cost that is admitted without a look at the clock. A protocol takes the cost of each read from it,
            and asks `has_time` when it is below zero.
    """

    __slots__ = ("_clock", "_is_measured", "_until", "_waiting", "left")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: deque[Waiting] = deque()
        # Whether the end of this turn has been asked for.
        self._is_measured = False
        self._until = 0.0
        self.left = GRANT

    def has_time(self) -> bool:
        """Tell whether this turn may go on; if so, admit another `GRANT`."""
        now = self._clock.monotonic()
        if not self._is_measured:
            self._measure(now)
        elif now >= self._until:
            return False
        self.left = GRANT
        return True

    def share(self) -> float:
        """Return the moment until which one socket may go on now, for `is_past`."""
        return self._clock.monotonic() + _SHARE

    def is_past(self, moment: float) -> bool:
        """Tell whether a moment has come."""
        return self._clock.monotonic() >= moment

    def wait(self, socket: Waiting) -> None:
        """Let a socket proceed in a later turn, behind those that wait already."""
        self._waiting.append(socket)
        if not self._is_measured:
            self._measure(self._clock.monotonic())

    def _measure(self, now: float) -> None:
        self._is_measured = True
        self._until = now + _TURN
        self._clock.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._is_measured = False
        self.left = GRANT
        waiting = self._waiting
        if not waiting:
            return
        now = self._clock.monotonic()
        self._measure(now)
        for _ in range(len(waiting)):
            socket = waiting.popleft()
            try:
                socket.proceed()
            except Exception:
                # A mistake of our own: the loop logs it, and the others proceed in the next turn.
                socket.abort()
                raise
            if self.is_past(now + _WAITING):
                return
