"""Keeps the list of live nodes: a node joins with its first message, and goes when it says so or is silent."""

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
from sockudo.cluster.replication.remote_work import CostedSteps
from sockudo.log import get_logger

_log = get_logger("sockudo.cluster")

_ASK_FOR_SNAPSHOT_AGAIN: Final = 2.0


class Membership:
    """The other nodes, as they come and go.

    Args:
        alone: called with whether this node knows no other node, and whether none can be there either, when that may
            have changed.

    Attributes:
        news: set when a node has come, gone or been synced.
    """

    def __init__(
        self,
        context: ClusterContext,
        nodes: Nodes,
        merging: Merging,
        echoes: Echoes,
        alone: Callable[[bool, bool], None],
    ) -> None:
        self.nodes = nodes
        self.news = asyncio.Event()
        self._clock = context.clock
        self._voice = context.voice
        self._work = context.work
        self._counters = context.counters
        self._refusals = context.refusals
        self._merging = merging
        self._echoes = echoes
        self._alone = alone
        # When another node could last have been there without being heard.
        self._doubted_at = float("-inf")

    @property
    def is_synced(self) -> bool:
        """Whether this node knows everything that the live nodes have."""
        return all(peer.is_synced and not self._work.is_busy(peer.node_id) for peer in self.nodes.peers())

    def heard(self, node_id: str) -> Peer | None:
        """Note a sign of life of a node; return the node, or None if there is no room for it."""
        known = self.nodes.known(node_id)
        peer = self.nodes.heard(node_id, self._clock.monotonic())
        if peer is None:
            self._refusals.too_many_nodes(MOST_NODES, node_id)
        elif known is None:
            self._tell_whether_alone()
            _log.info("node joined", node=node_id, nodes=len(self.nodes) + 1)
        return peer

    def left(self, node_id: str) -> CostedSteps:
        """Forget a node that says goodbye."""
        if self.nodes.leave(node_id):
            self._gone(node_id, "left")
            yield from self._merging.purge(node_id)

    def look(self) -> None:
        """Forget the nodes that were silent for too long; a node whose messages wait here is not silent yet."""
        for node_id in self.nodes.silent(self._clock.monotonic()):
            if not self._work.is_busy(node_id) and self.nodes.forget(node_id):
                # It may live behind a part of the bus that hangs and is not given up yet.
                self.doubt()
                self._gone(node_id, "silent")
                self._work.run(node_id, self._merging.purge(node_id))
        self._tell_whether_alone()
        self.ask_for_snapshots()

    def doubt(self) -> None:
        """Note that nodes may live that this one does not hear, because the bus, or a part of it, is lost."""
        self._doubted_at = self._clock.monotonic()
        self._tell_whether_alone()

    def unsynced(self) -> None:
        """Note that this node was off the bus, and ask the others for everything that it has missed."""
        self.doubt()
        for peer in self.nodes.peers():
            peer.is_synced = False
        self.ask_for_snapshots(at_once=True)

    def ask_for_snapshots(self, *, at_once: bool = False) -> None:
        """Ask for a snapshot from every node of which this one has missed something."""
        for peer in self.nodes.peers():
            self.ask_for_snapshot(peer, at_once=at_once)

    def ask_for_snapshot(self, peer: Peer, *, at_once: bool = False) -> None:
        """Ask a node for a snapshot, if this one has missed something of it and did not ask a moment ago."""
        now = self._clock.monotonic()
        # The waiting messages may be all that is missing.
        if peer.is_synced or self._work.is_busy(peer.node_id):
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
        self._tell_whether_alone()
        self.news.set()
        self._echoes.forget(node_id)
        self._counters.nodes_purged += 1
        _log.info("node gone", node=node_id, why=why, nodes=len(self.nodes) + 1)

    def _tell_whether_alone(self) -> None:
        is_alone = not len(self.nodes)
        in_doubt = self._clock.monotonic() - self._doubted_at <= self.nodes.timeout
        self._alone(is_alone, is_alone and not in_doubt)
