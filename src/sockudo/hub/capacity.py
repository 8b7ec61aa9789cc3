"""Counts the connections of this process against the most that it may have, and logs when it is full."""

from __future__ import annotations

from collections.abc import Callable

from sockudo.log import get_logger

_log = get_logger("sockudo.server")


class Capacity:
    """Tells whether the process has room for one more WebSocket connection.

    Args:
        most: connections at once (`max_connections`); 0 means no limit.
        count: tells how many there are.
    """

    def __init__(self, most: int, count: Callable[[], int]) -> None:
        self._most = most
        self._count = count
        self._was_full = False

    def problem(self) -> str:
        """Return why there is no room, or nothing."""
        if not self._most or self._count() < self._most:
            return ""
        return f"the process has {self._most} connections, the limit is {self._most} (max_connections)"

    def look(self) -> None:
        """Log when the process has become full, and when it has room again; to be called every second."""
        is_full = bool(self.problem())
        if is_full == self._was_full:
            return
        self._was_full = is_full
        if is_full:
            _log.warning("max_connections reached: new connections are refused with 4100", max_connections=self._most)
        else:
            _log.warning("max_connections: room for connections again", max_connections=self._most)
