"""Objects that all parts of a node's side of the cluster share."""

from __future__ import annotations

from dataclasses import dataclass

from sockudo.cluster.counters import ClusterCounters
from sockudo.cluster.messages.voice import Voice
from sockudo.cluster.refusals import Refusals
from sockudo.cluster.replication.remote_work import RemoteWork
from sockudo.timing.clock import Clock


@dataclass(frozen=True, slots=True)
class ClusterContext:
    """Made once for each node.

    Attributes:
        voice: sends this node's messages.
        work: does the work that other nodes cause.
        counters: totals since the start.
        refusals: counts and logs messages that are dropped.
    """

    clock: Clock
    voice: Voice
    work: RemoteWork
    counters: ClusterCounters
    refusals: Refusals
