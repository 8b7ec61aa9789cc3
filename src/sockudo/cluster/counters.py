"""Counts messages of other nodes that this node could not take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class ClusterCounters:
    """Totals since the start.

    Attributes:
        misunderstood: malformed messages; they were dropped.
        overflowed: messages that arrived faster than this node can take them; they were dropped.
        failed: messages that raised an exception in this node.
    """

    events_sent: int = 0
    events_received: int = 0
    deltas_sent: int = 0
    deltas_received: int = 0
    snapshots_sent: int = 0
    snapshots_received: int = 0
    nodes_purged: int = 0
    misunderstood: int = 0
    overflowed: int = 0
    failed: int = 0
