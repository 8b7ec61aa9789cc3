"""The intervals and timeouts between the nodes of a cluster."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClusterTimes:
    """Seconds.

    Attributes:
        heartbeat_interval: how often a node sends a heartbeat.
        node_timeout: the silence after which a node counts as dead.
        delta_interval: the shortest time between deltas, when many follow each other.
        introduction: how long a new node waits for the others to introduce themselves before it serves.
    """

    heartbeat_interval: float = 10.0
    node_timeout: float = 30.0
    delta_interval: float = 0.005
    introduction: float = 0.3
