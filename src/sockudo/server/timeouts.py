"""Ends sockets that take too long: those with times of their own on a timing wheel, all others in their order.

A young socket, and one that is being closed, has as long as all others of its kind. So their order is that of their
deadlines, and a dict keeps it: to note such a socket and to forget it costs one step each, and once a second the server
looks at the oldest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, TypeVar

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


class Silent(Expiring, Protocol):
    """A socket that has not said anything."""

    def drain(self) -> None:
        """End: it has asked for nothing."""

    def abort(self) -> None:
        """Drop the socket at once."""


_Limited = TypeVar("_Limited", bound=Expiring)


class Timeouts(Expiry[Expiring]):
    """Expires sockets, to the second.

    Attributes:
        young: sockets that have said nothing, each with the second of its acceptance, the oldest first. They have
            `HEAD_TIMEOUT`.
        closing: WebSockets that are being closed, each with the second in which that began, the oldest first. They have
            `CLOSE_TIMEOUT`.
    """

    def __init__(self, clock: Clock, on_tick: Callable[[], None]) -> None:
        super().__init__(clock)
        self._on_tick = on_tick
        self.young: dict[Silent, int] = {}
        self.closing: dict[Expiring, int] = {}

    def schedule(self, socket: Expiring, seconds: int) -> None:
        """Let a socket expire in so many seconds, instead of what was scheduled before."""
        # The current second has begun already; one more, so that nothing expires early.
        self._deadlines.schedule(socket, self.now + seconds + 1)

    def discard(self, socket: Expiring) -> None:
        """Forget a socket."""
        self._deadlines.discard(socket)

    def begin_closing(self, socket: Expiring) -> None:
        """Let a socket expire in `CLOSE_TIMEOUT`; one that is being closed already begins again."""
        self.closing.pop(socket, None)
        self.closing[socket] = self.now

    def second_passed(self) -> None:
        """Expire what is due."""
        self._on_tick()
        super().second_passed()

    def came_due(self, item: Expiring) -> None:
        """Expire a socket."""
        item.expire(self.now)

    def due(self, limit: int) -> list[Expiring]:
        """Return sockets that have come due, and forget them."""
        found = super().due(limit)
        silent = _oldest(self.young, self.now - HEAD_TIMEOUT - 1, limit - len(found))
        found += silent
        return found + _oldest(self.closing, self.now - CLOSE_TIMEOUT - 1, limit - len(found))


def _oldest(sockets: dict[_Limited, int], latest: int, limit: int) -> list[_Limited]:
    """Take those that began up to the second `latest`."""
    found: list[_Limited] = []
    for socket, began in sockets.items():
        if began > latest or len(found) >= limit:
            break
        found.append(socket)
    for socket in found:
        del sockets[socket]
    return found
