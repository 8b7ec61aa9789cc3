"""Ports for servers that tests start."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

# Below what the kernel gives to connections (32768 and up on Linux): a port from there may be taken by the time that
# the server binds it.
_FIRST: Final = 20_000
_LAST: Final = 32_000

_given: set[int] = set()
# Hypothesis gives its tests numbers that are the same in every process.
_random: Final = random.SystemRandom()


class Reservations:
    """Ports that are kept for a process while it lives, among all runs of a user: a server binds its port later."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("ab")

    def reserve(self, port: int) -> bool:
        """Keep a port, or tell that another process has it."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Give all ports back."""
        self._file.close()


_reservations: Final = Reservations(Path(tempfile.gettempdir(), f"sockudo-test-ports-{os.getuid()}"))


def free_port() -> int:
    """Return a loopback port that nothing listens on and that no test was given before, in this run or in another."""
    ports = own_ports(os.environ)
    while True:
        port = _random.choice(ports)
        if port in _given or not _reservations.reserve(port):
            continue
        _given.add(port)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port


def own_ports(environ: Mapping[str, str]) -> range:
    """Return the ports for this process, of which pytest-xdist may have started several: no other has one of them."""
    count = int(environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
    number = int(environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    # A process that is started instead of a crashed one has a number of its own.
    return range(_FIRST + number % count, _LAST, count)
