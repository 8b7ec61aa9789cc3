"""How patient the nodes of a cluster are with each other."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClusterTimes:
    """Seconds.

    Attributes:
        heartbeat_interval: how often a node gives a sign of life.
        node_timeout: after which silence it is taken for dead.
        delta_interval: how often at most it tells what has changed.
        introduction: how long a new node waits for the others to introduce themselves before it serves.
    """

    heartbeat_interval: float = 10.0
    node_timeout: float = 30.0
    delta_interval: float = 0.005
    introduction: float = 0.3
