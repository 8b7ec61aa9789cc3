"""Deadlines of sockets: one timing wheel and one timer for all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from sockudo.clock import Clock, Handle
from sockudo.deadlines import Deadlines

HEAD_TIMEOUT: Final = 10
BODY_TIMEOUT: Final = 30
IDLE_TIMEOUT: Final = 75
# How long a peer may take to answer a close frame before its socket is dropped.
CLOSE_TIMEOUT: Final = 3

TICK: Final = 1.0


class Expiring(Protocol):
    """A socket with a deadline."""

    deadline: int

    def expire(self, now: int) -> None:
        """End, or ask for a later deadline."""


class Timeouts:
    """Expires sockets, to the second.

    Attributes:
        now: the current second of the monotonic clock, renewed once a second.
    """

    def __init__(self, clock: Clock, on_tick: Callable[[], None]) -> None:
        self._clock = clock
        self._on_tick = on_tick
        self._timer: Handle | None = None
        self.now = int(clock.monotonic())
        self._deadlines: Deadlines[Expiring] = Deadlines(self.now)

    def start(self) -> None:
        """Begin to tick."""
        self.now = int(self._clock.monotonic())
        self._timer = self._clock.call_later(TICK, self._tick)

    def stop(self) -> None:
        """Stop ticking."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def schedule(self, socket: Expiring, seconds: int) -> None:
        """Let a socket expire in so many seconds, instead of what was scheduled before."""
        # The current second has begun already; one more, so that nothing expires early.
        self._deadlines.schedule(socket, self.now + seconds + 1)

    def discard(self, socket: Expiring) -> None:
        """Forget a socket."""
        self._deadlines.discard(socket)

    def _tick(self) -> None:
        self._timer = self._clock.call_later(TICK, self._tick)
        self.now = int(self._clock.monotonic())
        self._on_tick()
        for socket in self._deadlines.due(self.now):
            socket.expire(self.now)
