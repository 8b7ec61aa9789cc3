"""Opens listening sockets, for a single process or for the workers of a supervisor.

An IPv6 wildcard (`::`, `[::]`) serves both families over one socket; where the machine has no IPv6, IPv4 alone.

Strategy: on Linux each place for a worker has a socket of its own on the same address (SO_REUSEPORT), and the kernel
spreads connections evenly over them. The supervisor holds every socket for as long as it lives, so a queue of
connections that nobody has accepted yet outlives the worker: with a socket that belonged to the worker, the kernel
would reset them when it dies or is replaced. Where the kernel does not spread, all workers share one socket.

Measured with four workers and 4000 connections that stay: sockets of their own took 961 to 1042 connections each and
woke each worker once for each; one shared socket gave 402 to 1630, and every connection woke every worker.
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from sockudo.errors import SockudoError
from sockudo.log import get_logger

_log = get_logger("sockudo.server")

BACKLOG: Final = 4096

# Other systems have the option too, but give every connection to the last socket, or have another option for this.
CAN_BALANCE: Final = sys.platform == "linux" and hasattr(socket, "SO_REUSEPORT")

Sockets: TypeAlias = tuple[socket.socket, ...]

# As the socket module has them: host, port, and two more numbers for IPv6.
_Address: TypeAlias = tuple[Any, ...]

# The machine has no such address, or nothing of its family.
_ABSENT: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class ListenError(SockudoError):
    """The address cannot be had. The message names it, the settings and the reason."""

    def __init__(self, host: str, port: int, reason: OSError, settings: str = "host, port") -> None:
        super().__init__(f"it cannot listen on {host}:{port} ({settings}): {reason}")


class _Target(NamedTuple):
    """An address to listen on.

    Attributes:
        both_families: whether this is an IPv6 wildcard that also takes connections over IPv4.
    """

    family: int
    address: _Address
    both_families: bool = False


_IPV4_WILDCARD: Final = "0.0.0.0"  # noqa: S104 - the address that a host name stood for
_IPV6_WILDCARD: Final = "::"


def open_listeners(host: str, port: int, places: int, *, balanced: bool, settings: str = "host, port") -> list[Sockets]:
    """Listen; return the sockets for each place, one for each address that the host stands for.

    Args:
        settings: what an error names.

    Raises:
        ListenError: the address cannot be had.
    """
    try:
        opened = _open_each(_targets(host, port), places if balanced else 1)
    except OSError as error:
        raise ListenError(host, port, error, settings) from error
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


def _targets(host: str, port: int) -> list[_Target]:
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    targets = [_Target(family, address) for family, _, _, _, address in dict.fromkeys(found)]
    if [target.address[0] for target in targets] == [_IPV6_WILDCARD]:
        return [targets[0]._replace(both_families=True)]
    return targets


def _open_each(targets: Sequence[_Target], count: int) -> list[Sockets]:
    """Return the sockets of each address that this machine has; all have the port that was chosen for the first."""
    opened: list[Sockets] = []
    for number, target in enumerate(targets, 1):
        try:
            opened.append(_open(_with_port(target, opened[0][0].getsockname()[1]) if opened else target, count))
        except OSError as error:
            is_last_hope = number == len(targets) and not opened
            if error.errno in _ABSENT and target.both_families:
                address = (_IPV4_WILDCARD, target.address[1])
                opened.append(_open(_Target(socket.AF_INET, address), count))
                _log.warning(
                    "IPv6 unavailable: the server listens on IPv4 only", host=_IPV6_WILDCARD, reason=str(error)
                )
            elif error.errno in _ABSENT and not is_last_hope:
                _log.warning(
                    "listen address skipped: this machine does not have it",
                    address=target.address[0],
                    reason=str(error),
                )
            else:
                close_listeners(opened)
                raise
    return opened


def _with_port(target: _Target, port: int) -> _Target:
    return target._replace(address=(target.address[0], port, *target.address[2:]))


def _open(target: _Target, count: int) -> Sockets:
    opened = [_bind(target)]
    try:
        if count > 1:
            first = opened[0]
            # The option comes after the first socket is bound: with it, two servers of one user would share a port that
            # only one of them was given, and neither would be told.
            first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            again = target._replace(address=first.getsockname())
            opened += [_bind(again, reuse_port=True) for _ in range(count)]
            # A socket whose port the system chose loses it when it is set aside, so this one has no place.
            opened.pop(0).close()
        for listening in opened:
            listening.listen(BACKLOG)
    except OSError:
        close_listeners([tuple(opened)])
        raise
    return tuple(opened)


def _bind(target: _Target, *, reuse_port: bool = False) -> socket.socket:
    made = socket.socket(target.family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        if sys.platform != "win32":  # where the option lets others take the port away
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if target.family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(not target.both_families))
        made.bind(target.address)
    except OSError:
        made.close()
        raise
    return made
