"""The ports beside that of clients: for metrics, and for the redirect from plain HTTP to TLS.

The supervisor opens them and keeps them, like the port of clients: a port that another program has ends the start, and
no other program can take one while workers are replaced.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

from sockudo.supervisor.listening.listeners import Sockets, close_listeners, open_listeners

METRICS_SETTINGS: Final = "metrics.host, metrics.port"
REDIRECT_SETTINGS: Final = "host, ssl.http_port"

Address: TypeAlias = tuple[str, int]


class SideSockets(NamedTuple):
    """The sockets of these ports, which all workers share; none where a port is not wanted."""

    metrics: Sockets = ()
    redirect: Sockets = ()

    @property
    def all(self) -> Sockets:
        """Every one of them."""
        return (*self.metrics, *self.redirect)

    def numbers(self) -> list[list[int]]:
        """Return their descriptors, for another process."""
        return [[listening.fileno() for listening in sockets] for sockets in self]

    def close(self) -> None:
        """Close them all."""
        close_listeners(self)

    @classmethod
    def of_numbers(cls, numbers: Sequence[Sequence[int]]) -> SideSockets:
        """Return the sockets that another process gave, which processes to come get only where they are given them."""
        sockets = cls(*(tuple(socket.socket(fileno=number) for number in numbers_of_one) for numbers_of_one in numbers))
        for listening in sockets.all:
            listening.set_inheritable(False)
        return sockets


NO_SIDE_SOCKETS: Final = SideSockets()


class SidePorts(NamedTuple):
    """Where they are; None for a port that is not wanted."""

    metrics: Address | None = None
    redirect: Address | None = None

    def open(self) -> SideSockets:
        """Listen.

        Raises:
            ListenError: an address cannot be had.
        """
        metrics = _opened(self.metrics, METRICS_SETTINGS)
        try:
            return SideSockets(metrics, _opened(self.redirect, REDIRECT_SETTINGS))
        except BaseException:
            close_listeners([metrics])
            raise


NO_SIDE_PORTS: Final = SidePorts()


def _opened(address: Address | None, settings: str) -> Sockets:
    if address is None:
        return ()
    return open_listeners(*address, 1, balanced=False, settings=settings)[0]
