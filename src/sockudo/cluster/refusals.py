"""Counts dropped messages of the bus, and logs them once a minute for each reason."""

from __future__ import annotations

from typing import Final

from sockudo.cluster.counters import ClusterCounters
from sockudo.log import get_logger
from sockudo.timing.clock import Clock

_QUIET: Final = 60.0

_log = get_logger("sockudo.cluster")


class Refusals:
    """Messages of the bus that this node drops."""

    def __init__(self, clock: Clock, counters: ClusterCounters) -> None:
        self._clock = clock
        self._counters = counters
        # The log line -> from when on it may be logged again, and how many were not logged.
        self._logged: dict[str, tuple[float, int]] = {}

    def misunderstood(self, reason: str, node_id: str = "") -> None:
        """Note a malformed message."""
        self._counters.misunderstood += 1
        self._warn("bus message dropped: it is malformed", reason=reason, node=node_id)

    def overflowed(self, node_id: str) -> None:
        """Note a message for which there is no room; this node fetches its content again."""
        self._counters.overflowed += 1
        self._warn("bus message dropped: more arrive than this node can take", node=node_id)

    def too_many_nodes(self, limit: int, node_id: str) -> None:
        """Note a node that is one too many."""
        self._warn("node ignored: too many nodes are on the bus", limit=limit, node=node_id)

    def failed(self, error: Exception) -> None:
        """Note a message that raised an exception in this node."""
        self._counters.failed += 1
        self._warn("bus message failed", exc_info=error)

    def _warn(self, event: str, **details: object) -> None:
        now = self._clock.monotonic()
        quiet_until, unlogged = self._logged.get(event, (now, 0))
        if now < quiet_until:
            self._logged[event] = quiet_until, unlogged + 1
            return
        self._logged[event] = now + _QUIET, 0
        _log.warning(event, **details, times=unlogged + 1)
