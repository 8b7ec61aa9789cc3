"""Keeps the deadlines of sockets on one timing wheel with one timer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from sockudo.timing.clock import Clock
from sockudo.timing.expiry import Expiry

HEAD_TIMEOUT: Final = 10
BODY_TIMEOUT: Final = 30
IDLE_TIMEOUT: Final = 75
# How long a peer may take to answer a close frame before its socket is dropped.
CLOSE_TIMEOUT: Final = 3


class Expiring(Protocol):
    """A socket with a deadline."""

    deadline: int

    def expire(self, now: int) -> None:
        """End, or ask for a later deadline."""


class Timeouts(Expiry[Expiring]):
    """Expires sockets, to the second."""

    def __init__(self, clock: Clock, on_tick: Callable[[], None]) -> None:
        super().__init__(clock)
        self._on_tick = on_tick

    def schedule(self, socket: Expiring, seconds: int) -> None:
        """Let a socket expire in so many seconds, instead of what was scheduled before."""
        # The current second has begun already; one more, so that nothing expires early.
        self._deadlines.schedule(socket, self.now + seconds + 1)

    def discard(self, socket: Expiring) -> None:
        """Forget a socket."""
        self._deadlines.discard(socket)

    def second_passed(self) -> None:
        """Expire what is due."""
        self._on_tick()
        super().second_passed()

    def came_due(self, item: Expiring) -> None:
        """Expire a socket."""
        item.expire(self.now)
