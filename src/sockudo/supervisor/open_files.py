"""Raises the limit on open files, and refuses connections when it is reached."""

from __future__ import annotations

import errno
import socket
import sys
from typing import Final

from sockudo.log import get_logger

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]  # the checker sees only the platform it runs on

_log = get_logger("sockudo.server")

# Files a server needs besides its sockets: listeners, the event loop, the log, stores, webhooks.
_RESERVED_FILES: Final = 64
# Seconds between two lines while there is no room.
_TOLD_EVERY: Final = 10


def raise_limit() -> None:
    """Let this process open as many files as it may; a soft limit of 1024 is the usual surprise."""
    if resource is None:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        # macOS refuses "unlimited" although it reports it; what there was stays.
        return


def room_for_sockets(files: int) -> int:
    """Return how many sockets a limit on open files leaves room for."""
    return max(files - _RESERVED_FILES, files // 2)


class SocketRoom:
    """How many sockets a server may have, and how often there was no room for one.

    The server turns clients away before the system does: it can say why, and its other parts (a database, a queue,
    webhooks) still get their files. The system closes connections without a word to either side, so the server looks
    once a second whether the system has begun to.

    Attributes:
        most: sockets at the same time.
        refused: connections that were turned away since the start.
    """

    def __init__(self) -> None:
        self._limit = 0 if resource is None else resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        is_limited = resource is not None and self._limit != resource.RLIM_INFINITY
        self.most = room_for_sockets(self._limit) if is_limited else sys.maxsize
        self.refused = 0
        # Seconds for which there has been no room; how many were turned away before that, and before the last line.
        self._seconds = 0
        self._before = 0
        self._told = 0

    def look(self) -> None:
        """Tell whether there is room, when that changes and every ten seconds in which there is none."""
        is_exhausted = _is_exhausted()
        if is_exhausted or self.refused != self._told:
            if self._seconds % _TOLD_EVERY == 0:
                self._tell(is_exhausted)
            self._seconds += 1
            # What has come since the last line is told with the next one; until then it is known of.
            self._told = self.refused
        elif self._seconds:
            _log.warning("open files: room for connections again", refused=self.refused - self._before)
            self._seconds, self._before = 0, self.refused

    def _tell(self, is_exhausted: bool) -> None:
        _log.warning(
            "open files: no room for more connections, which are closed; raise the limit (ulimit -n, LimitNOFILE)",
            refused=self.refused - self._before,
            limit=self._limit,
            sockets=self.most,
            exhausted=is_exhausted,
        )


def _is_exhausted() -> bool:
    """Tell whether the process or the system can open no more files."""
    try:
        socket.socket().close()
    except OSError as error:
        return error.errno in (errno.EMFILE, errno.ENFILE)
    return False
