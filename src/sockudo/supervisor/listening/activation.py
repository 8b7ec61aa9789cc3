"""Takes the listening sockets that a service manager has opened for this process (socket activation of systemd).

The manager keeps the sockets open while the server restarts. Clients that connect meanwhile wait in their queue, and no
connection is refused. All workers share such a socket, because only the manager could open more on its address.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from typing import Final

from sockudo.errors import SockudoError
from sockudo.supervisor.listening.listeners import Sockets

_PROCESS: Final = "LISTEN_PID"
_COUNT: Final = "LISTEN_FDS"
_NAMES: Final = "LISTEN_FDNAMES"
# The manager gives descriptors from here on, one after the other.
_FIRST: Final = 3

_FAMILIES: Final = (socket.AF_INET, socket.AF_INET6)


class ActivationError(SockudoError):
    """The server cannot listen on what the service manager has opened."""


def take_activated_sockets(variables: MutableMapping[str, str]) -> Sockets:
    """Return the sockets that the manager gave to this process, none where it gave nothing. They are given once.

    Raises:
        ActivationError: a variable is no number, or a descriptor is no listening TCP socket.
    """
    process, count = variables.pop(_PROCESS, ""), variables.pop(_COUNT, "")
    variables.pop(_NAMES, None)
    # The variables of a process above this one may be left: they speak of descriptors that are not here.
    if not process or _number(_PROCESS, process) != os.getpid():
        return ()
    return tuple(_listening(number) for number in range(_FIRST, _FIRST + _number(_COUNT, count)))


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ActivationError(f"{name} is {text!r}: a service manager sets a number")
    return int(text)


def _listening(number: int) -> socket.socket:
    try:
        given = socket.socket(fileno=number)
    except OSError as error:
        raise ActivationError(f"descriptor {number} of {_COUNT} is no socket: {error.strerror}") from error
    problem = _problem(given)
    if problem:
        given.detach()
        raise ActivationError(f"descriptor {number} of {_COUNT} {problem}")
    given.setblocking(False)
    given.set_inheritable(False)
    return given


def _problem(given: socket.socket) -> str:
    if given.family not in _FAMILIES or given.type != socket.SOCK_STREAM:
        return "is no TCP socket: set ListenStream to a port, or to an address and a port"
    if not given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return "does not listen: set Accept=no"
    return ""
