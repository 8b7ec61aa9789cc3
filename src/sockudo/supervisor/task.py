"""Hands the task of a supervisor from the command to the process that the command becomes (see `reexec`)."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sockudo.supervisor.listening.listeners import Sockets
from sockudo.supervisor.listening.side_ports import SideSockets
from sockudo.supervisor.listening.socket_file import SocketFile
from sockudo.supervisor.orders import SUPERVISOR_VARIABLE

# Stands in the greeting for the workers, which do not run yet. Nothing before it can have this character.
WORKERS_MARK: Final = "\x1a"

_STANDARD_STREAMS: Final = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class Task:
    """What to do.

    Attributes:
        balanced: whether each place has listening sockets of its own.
        grace: how long a worker may take to leave (seconds).
        command: what starts a worker.
        logging: the arguments of `log.configure`.
        directory: a folder for the sockets between the workers, which the supervisor removes.
        places: the descriptors of the listening sockets of each place for a worker.
        greeting: the text for people when every worker serves, with `WORKERS_MARK` in it.
        lines: what the command has logged and not written.
        unix_socket: the path of the unix socket, with what `SocketFile.made` says of it; None for an address.
        side: the descriptors of the sockets of other ports (see `SideSockets`), which all workers share.
    """

    balanced: bool
    grace: float
    command: list[str]
    logging: dict[str, Any]
    directory: str
    places: list[list[int]]
    greeting: str
    lines: str
    unix_socket: tuple[str, tuple[int, int, int]] | None = None
    side: Sequence[Sequence[int]] = ()

    def remove_socket_file(self) -> None:
        """Remove the unix socket, unless another server has replaced it."""
        if self.unix_socket is not None:
            path, (device, number, changed) = self.unix_socket
            SocketFile.that_was_made(path, (device, number, changed)).remove()

    def listeners(self) -> list[Sockets]:
        """Return the sockets of each place; processes that are started get only those that they are given."""
        # Places may share a socket, and a second object for it would close it.
        numbers = {number for place in self.places for number in place}
        sockets = {number: socket.socket(fileno=number) for number in numbers}
        for listening in sockets.values():
            listening.set_inheritable(False)
        return [tuple(sockets[number] for number in place) for place in self.places]

    def side_sockets(self) -> SideSockets:
        """Return the sockets of the other ports."""
        return SideSockets.of_numbers(self.side)

    def greeting_with(self, processes: Sequence[int]) -> str:
        """Return the text for people, with the workers in it."""
        return self.greeting.replace(WORKERS_MARK, workers_text(processes), 1)


def take_task(variables: MutableMapping[str, str]) -> Task:
    """Return what the command has left. It is given once."""
    with open(int(variables.pop(SUPERVISOR_VARIABLE)), encoding="utf-8") as file:
        return Task(**json.load(file))


def workers_text(processes: Sequence[int]) -> str:
    """Return what people read about the workers."""
    return f"{len(processes)} (processes {', '.join(str(process) for process in processes)})"


def open_standard_streams() -> None:
    """Put the null device where a standard stream is closed: a socket with its number would be taken for the stream."""
    for number in _STANDARD_STREAMS:
        try:
            os.fstat(number)
        except OSError:
            # The system gives the lowest number that is free, which is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
