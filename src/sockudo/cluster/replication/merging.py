"""Merges deltas and snapshots of other nodes into the replica, in small steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sockudo.cluster.counters import ClusterCounters
from sockudo.cluster.messages.state import Delta, SnapshotPart
from sockudo.cluster.nodes import Peer
from sockudo.cluster.replication.portions import PORTION, portions
from sockudo.cluster.replication.remote_work import CostedSteps
from sockudo.cluster.replication.replica import Change, Replica


class Merging:
    """Applies deltas and snapshots, and forgets nodes. The caller runs the steps of one node in their order.

    Args:
        changed: called with the changes of each step.
    """

    def __init__(self, replica: Replica, counters: ClusterCounters, changed: Callable[[list[Change]], None]) -> None:
        self._replica = replica
        self._counters = counters
        self._changed = changed

    def delta(self, peer: Peer, delta: Delta, size: int) -> CostedSteps:
        """Merge a delta, if it is the next one of its node."""
        if peer.take_delta(delta, size):
            self._counters.deltas_received += 1
            yield from self._apply(peer, delta)

    def part(self, peer: Peer, part: SnapshotPart) -> CostedSteps:
        """Take a part of a snapshot, and merge the snapshot when it is whole, and the deltas after it."""
        yield len(part.apps) + sum(len(state.channels) + len(state.online) for state in part.apps.values()) // PORTION
        apps = peer.take_part(part)
        if apps is None:
            return
        self._counters.snapshots_received += 1
        yield from self._merged(self._replica.replacing(peer.node_id, apps))
        for delta in peer.next_deltas():
            yield from self._apply(peer, delta)

    def purge(self, node_id: str) -> CostedSteps:
        """Forget everything of a node, with the same changes as if the node had sent them."""
        yield from self._merged(self._replica.purging(node_id))

    def _apply(self, peer: Peer, delta: Delta) -> CostedSteps:
        yield from self._merged(self._replica.apply(peer.node_id, portion) for portion in portions(delta.apps))

    def _merged(self, steps: Iterable[list[Change]]) -> CostedSteps:
        for changes in steps:
            if changes:
                self._changed(changes)
            yield 1 + len(changes)
