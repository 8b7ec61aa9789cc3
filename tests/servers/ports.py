"""Ports for servers that tests start."""

from __future__ import annotations

import random
import socket
from typing import Final

# Below what the kernel gives to connections (32768 and up on Linux): a port from there may be taken by the time that
# the server binds it.
_FIRST: Final = 20_000
_LAST: Final = 32_000

_given: set[int] = set()


def free_port() -> int:
    """Return a loopback port that nothing listens on and that was not given out before in this process."""
    while True:
        port = random.randint(_FIRST, _LAST)
        if port in _given:
            continue
        _given.add(port)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
