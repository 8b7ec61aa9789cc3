"""Keeps the live nodes, with the last heartbeat and the last delta of each.

Rules: synchronous, without a clock of its own; every method is told the time (monotonic seconds).
"""

from __future__ import annotations

from collections.abc import Collection
from hashlib import blake2b
from typing import Final

from sockudo.cluster.messages.state import AppState, Delta, Heartbeat, SnapshotPart
from sockudo.cluster.replication.incoming_snapshot import IncomingSnapshot

# The most deltas, and bytes of them, that are kept while a snapshot is on its way; beyond it a new one is needed.
MAX_BUFFERED: Final = 10_000
MAX_BUFFERED_BYTES: Final = 16 * 1024 * 1024
# The most other nodes at once. To find the owner of a channel, each event of a webhook costs a hash for every node.
MOST_NODES: Final = 1024
# The most nodes that are remembered after their goodbye.
MAX_LEFT: Final = 1000


class Peer:
    """Another node.

    Attributes:
        number: the number of its last delta that the replica has.
        is_synced: the replica has everything up to `number`; false while a snapshot is on its way.
        heard_at, asked_at: when its last message came, and when a snapshot was last asked for; monotonic seconds.
        is_asked, asked_since: whether a snapshot was asked for that is not here yet, and since when (monotonic).
        heartbeat: the last one.
    """

    def __init__(self, node_id: str, now: float) -> None:
        self.node_id = node_id
        self.number = 0
        self.is_synced = False
        self.heard_at = now
        self.asked_at = float("-inf")
        self.is_asked = False
        self.asked_since = now
        self.heartbeat: Heartbeat | None = None
        self._snapshot = IncomingSnapshot()
        self._buffered: dict[int, Delta] = {}
        self._buffered_bytes = 0

    def take_delta(self, delta: Delta, size: int = 0) -> bool:
        """Return whether a delta is the next one, which the caller applies; others are kept for later, or are old.

        A missing one makes the peer unsynced. `size` is that of the message, in bytes.
        """
        if self.is_synced and delta.number == self.number + 1:
            self.number += 1
            return True
        if delta.number > self.number:
            self.is_synced = False
            if len(self._buffered) >= MAX_BUFFERED or self._buffered_bytes + size > MAX_BUFFERED_BYTES:
                self._buffered.clear()
                self._buffered_bytes = 0
            self._buffered[delta.number] = delta
            self._buffered_bytes += size
        return False

    def take_number(self, number: int) -> None:
        """Note that the peer has sent deltas up to `number`: if one is missing, the peer is unsynced."""
        if number > self.number:
            self.is_synced = False

    def take_part(self, part: SnapshotPart) -> dict[str, AppState] | None:
        """Take a part of a snapshot; return it whole when this was the last one."""
        apps = self._snapshot.take(part)
        if apps is None or part.number < self.number:
            # This node has asked twice, and the part is older than the replica.
            return None
        self.number, self.is_synced = part.number, True
        return apps

    def next_deltas(self) -> list[Delta]:
        """Return the kept deltas that follow the snapshot; the peer is unsynced if one is missing among them."""
        found: list[Delta] = []
        while (delta := self._buffered.pop(self.number + 1, None)) is not None:
            self.number += 1
            found.append(delta)
        self._buffered = {number: delta for number, delta in self._buffered.items() if number > self.number}
        if self._buffered:
            self.is_synced = False
        else:
            self._buffered_bytes = 0
        return found


class Nodes:
    """The other live nodes.

    Attributes:
        timeout: how long a live node may be silent (seconds).
    """

    def __init__(self, own_id: str, timeout: float) -> None:
        self._own_id = own_id
        self.timeout = timeout
        self._peers: dict[str, Peer] = {}
        # Oldest first.
        self._left: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._peers)

    def peers(self) -> Collection[Peer]:
        """Return the live nodes."""
        return self._peers.values()

    def heard(self, node_id: str, now: float) -> Peer | None:
        """Note a sign of life; return the node, or None if it is new and there are too many."""
        peer = self._peers.get(node_id)
        if peer is None:
            if len(self._peers) >= MOST_NODES:
                return None
            peer = self._peers[node_id] = Peer(node_id, now)
        peer.heard_at = now
        return peer

    def known(self, node_id: str) -> Peer | None:
        """Return a live node, or None."""
        return self._peers.get(node_id)

    def forget(self, node_id: str) -> bool:
        """Forget a node until its next message; return whether it was known."""
        return self._peers.pop(node_id, None) is not None

    def leave(self, node_id: str) -> bool:
        """Forget a node that has said goodbye; return whether it was known.

        No node comes back under its old id. Its earlier messages on another topic may arrive only now, though, and must
        not bring it back to life.
        """
        self._left[node_id] = None
        if len(self._left) > MAX_LEFT:
            del self._left[next(iter(self._left))]
        return self.forget(node_id)

    def has_left(self, node_id: str) -> bool:
        """Return whether a node has said goodbye."""
        return node_id in self._left

    def silent(self, now: float) -> list[str]:
        """Return the nodes without a message for longer than the timeout."""
        return [peer.node_id for peer in self._peers.values() if now - peer.heard_at > self.timeout]

    def excuse(self, seconds: float, now: float) -> None:
        """Subtract seconds in which this node itself did not run from the silence of all nodes."""
        for peer in self._peers.values():
            # A node with a message since then has no silence to subtract from.
            peer.heard_at = min(peer.heard_at + seconds, now)

    def owner(self, app_id: str, name: str) -> str:
        """Return the live node that owns a channel: rendezvous hashing, the same on every node.

        When a node comes or goes, only the channels that it gets or had change their owner.
        """
        key = f"{app_id}/{name}".encode()
        return max((self._own_id, *self._peers), key=lambda node_id: _weight(node_id, key))


def _weight(node_id: str, key: bytes) -> bytes:
    return blake2b(key, digest_size=8, key=node_id.encode()).digest() + node_id.encode()
