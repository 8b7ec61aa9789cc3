"""The listening sockets that a supervisor opens once and that its workers inherit, one after the other.

Strategy: on Linux each place for a worker has a socket of its own on the same address (SO_REUSEPORT), and the kernel
spreads connections evenly over them. The supervisor holds every socket for as long as it lives, so a queue of
connections that nobody has accepted yet outlives the worker: with a socket that belonged to the worker, the kernel
would reset them when it dies or is replaced. Where the kernel does not spread, all workers share one socket.

Measured with four workers and 4000 connections that stay: sockets of their own took 961 to 1042 connections each and
woke each worker once for each; one shared socket gave 402 to 1630, and every connection woke every worker.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

BACKLOG: Final = 4096

# Other systems have the option too, but give every connection to the last socket, or have another option for this.
CAN_BALANCE: Final = sys.platform == "linux" and hasattr(socket, "SO_REUSEPORT")

Sockets: TypeAlias = tuple[socket.socket, ...]

# As the socket module has them: host, port, and two more numbers for IPv6.
_Address: TypeAlias = tuple[Any, ...]


def open_listeners(host: str, port: int, places: int, *, balanced: bool) -> list[Sockets]:
    """Listen; return the sockets for each place, one for each address that the host stands for.

    Raises:
        OSError: the address cannot be had.
    """
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    opened: list[Sockets] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            sockets = _open(family, _with_port(address, port), places if balanced else 1)
            opened.append(sockets)
            # All addresses of a host have the port that the system chose for the first.
            port = sockets[0].getsockname()[1]
    except OSError:
        close_listeners(opened)
        raise
    return [tuple(sockets[place if balanced else 0] for sockets in opened) for place in range(places)]


def close_listeners(places: Sequence[Sockets]) -> None:
    """Close them all."""
    for sockets in places:
        for listening in sockets:
            listening.close()


def set_aside(sockets: Sockets) -> None:
    """Let the kernel give new connections to the other sockets on the address; what waits on these is reset.

    The sockets stay bound, and listen again when a worker says so.
    """
    for listening in sockets:
        listening.shutdown(socket.SHUT_RD)


def _with_port(address: _Address, port: int) -> _Address:
    return (address[0], port, *address[2:])


def _open(family: int, address: _Address, count: int) -> Sockets:
    opened = [_bind(family, address)]
    try:
        if count > 1:
            first = opened[0]
            # The option comes after the first socket is bound: with it, two servers of one user would share a port that
            # only one of them was given, and neither would be told.
            first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            opened += [_bind(family, first.getsockname(), reuse_port=True) for _ in range(count)]
            # A socket whose port the system chose loses it when it is set aside, so this one has no place.
            opened.pop(0).close()
        for listening in opened:
            listening.listen(BACKLOG)
    except OSError:
        close_listeners([tuple(opened)])
        raise
    return tuple(opened)


def _bind(family: int, address: _Address, *, reuse_port: bool = False) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            # "::" and "0.0.0.0" are two addresses, as for every other server of asyncio.
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made
