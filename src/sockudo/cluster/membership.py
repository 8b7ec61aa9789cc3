"""Which nodes are in the cluster: they come when they are first heard, and go when they say so or are silent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from sockudo.cluster.context import ClusterContext
from sockudo.cluster.echoes import Echoes
from sockudo.cluster.messages import envelope
from sockudo.cluster.messages.state import Sync
from sockudo.cluster.messages.topics import node_topic
from sockudo.cluster.nodes import MOST_NODES, Nodes, Peer
from sockudo.cluster.replication.merging import Merging
from sockudo.cluster.replication.slices import Steps
from sockudo.log import get_logger

_log = get_logger("sockudo.cluster")

_ASK_FOR_SNAPSHOT_AGAIN: Final = 2.0


class Membership:
    """The other nodes, as they come and go.

    Args:
        alone: told whether this node is alone when that may have changed.

    Attributes:
        news: set when what is known of the others has changed.
    """

    def __init__(
        self,
        context: ClusterContext,
        nodes: Nodes,
        merging: Merging,
        echoes: Echoes,
        alone: Callable[[bool], None],
    ) -> None:
        self.nodes = nodes
        self.news = asyncio.Event()
        self._clock = context.clock
        self._voice = context.voice
        self._slices = context.slices
        self._counters = context.counters
        self._refusals = context.refusals
        self._merging = merging
        self._echoes = echoes
        self._alone = alone

    @property
    def is_synced(self) -> bool:
        """Whether everything is known that the nodes alive have."""
        return all(peer.is_synced and not self._slices.is_busy(peer.node_id) for peer in self.nodes.peers())

    def heard(self, node_id: str) -> Peer | None:
        """Note a sign of life of a node; return it, or None where there is no room for it."""
        known = self.nodes.known(node_id)
        peer = self.nodes.heard(node_id, self._clock.monotonic())
        if peer is None:
            self._refusals.too_many_nodes(MOST_NODES, node_id)
        elif known is None:
            self._alone(False)
            _log.info("node joined", node=node_id, nodes=len(self.nodes) + 1)
        return peer

    def left(self, node_id: str) -> Steps:
        """Forget a node that says goodbye."""
        if self.nodes.leave(node_id):
            self._gone(node_id, "left")
            yield from self._merging.purge(node_id)

    def look(self) -> None:
        """Forget the nodes that were silent for too long; of those whose messages wait, it is not known yet."""
        for node_id in self.nodes.silent(self._clock.monotonic()):
            if not self._slices.is_busy(node_id) and self.nodes.forget(node_id):
                self._gone(node_id, "silent")
                self._slices.run(node_id, self._merging.purge(node_id))
        self.ask_for_snapshots()

    def unsynced(self) -> None:
        """Note that this node was off the bus, and ask for what it has missed."""
        for peer in self.nodes.peers():
            peer.is_synced = False
        self.ask_for_snapshots(at_once=True)

    def ask_for_snapshots(self, *, at_once: bool = False) -> None:
        """Ask the nodes of which something was missed for what they have."""
        for peer in self.nodes.peers():
            self.ask_for_snapshot(peer, at_once=at_once)

    def ask_for_snapshot(self, peer: Peer, *, at_once: bool = False) -> None:
        """Ask a node for what it has, if something of it was missed and it was not asked a moment ago."""
        now = self._clock.monotonic()
        # What waits may be all that is missing.
        if peer.is_synced or self._slices.is_busy(peer.node_id):
            return
        if at_once or now - peer.asked_at >= _ASK_FOR_SNAPSHOT_AGAIN:
            if peer.is_asked:
                self._counters.unanswered += 1
            else:
                peer.asked_since = now
            peer.is_asked = True
            peer.asked_at = now
            self._counters.questions_sent += 1
            self._voice.say(node_topic(peer.node_id), envelope.SYNC, Sync())

    def _gone(self, node_id: str, why: str) -> None:
        self._alone(not len(self.nodes))
        self.news.set()
        self._echoes.forget(node_id)
        self._counters.nodes_purged += 1
        _log.info("node gone", node=node_id, why=why, nodes=len(self.nodes) + 1)
