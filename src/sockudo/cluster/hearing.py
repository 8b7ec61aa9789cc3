"""Handles messages of other nodes: delivers events at once, and does everything else in slices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from sockudo.cluster.context import ClusterContext
from sockudo.cluster.echoes import Echoes
from sockudo.cluster.handler import ClusterHandler, NoReports, ReportHandler
from sockudo.cluster.heartbeat import Heartbeats
from sockudo.cluster.interest import Interest
from sockudo.cluster.membership import Membership
from sockudo.cluster.messages import envelope
from sockudo.cluster.messages.state import (
    LONGEST_FOLLOW,
    AppChanged,
    Delta,
    Echo,
    EventToCache,
    Follow,
    ForceReconnect,
    Goodbye,
    Heartbeat,
    Question,
    Reports,
    RollCall,
    SnapshotPart,
    Sync,
    Terminate,
    Verb,
)
from sockudo.cluster.messages.topics import node_topic
from sockudo.cluster.nodes import Peer
from sockudo.cluster.replication.merging import Merging
from sockudo.cluster.replication.remote_work import CostedSteps
from sockudo.cluster.replication.replica import Change
from sockudo.cluster.replication.snapshots import Snapshots
from sockudo.log import get_logger
from sockudo.websocket.relayed import is_text_frame

_log = get_logger("sockudo.cluster")

# Parsing this many bytes is a unit of work.
_BYTES_OF_A_UNIT: Final = 1024
# Reports that are taken in one step.
_REPORTS_AT_ONCE: Final = 25
# In an event: the length of the excluded socket id, and the frame where that is 0.
_EXCLUSION: Final = envelope.HEADER_BYTES
_PLAIN_FRAME: Final = _EXCLUSION + 1
# The cost of a new node: a line of the log, a question and an answer.
_NEW_NODE: Final = 10


class Hearing:
    """The inbox of a node. See `RemoteWork` for messages that arrive faster than this node can take them.

    It drops and counts malformed messages: nothing that comes over the bus may bring down this node.

    Attributes:
        handler: the node above.
        reports: takes messages of other nodes about webhooks.
        followed_until: until when a follower wants to be told of deliveries, monotonic.
    """

    def __init__(
        self,
        context: ClusterContext,
        interest: Interest,
        membership: Membership,
        merging: Merging,
        heartbeats: Heartbeats,
        snapshots: Snapshots,
        echoes: Echoes,
    ) -> None:
        self._clock = context.clock
        self._voice = context.voice
        self._work = context.work
        self._counters = context.counters
        self._refusals = context.refusals
        self._interest = interest
        self._membership = membership
        self._merging = merging
        self._heartbeats = heartbeats
        self._snapshots = snapshots
        self._echoes = echoes
        self._own_id = bytes.fromhex(context.voice.node_id)
        self.handler: ClusterHandler | None = None
        self.reports: ReportHandler = NoReports()
        self.followed_until = 0.0

    # What the adapter calls

    def received(self, topic: str, data: bytes) -> None:
        """Take one message of the bus."""
        # hot path
        if len(data) <= envelope.HEADER_BYTES:
            self._refusals.misunderstood(f"{len(data)} bytes are too short for a message")
        elif data[1 : envelope.HEADER_BYTES] == self._own_id:
            self._heartbeats.heard(data)
        elif data[0] in envelope.EVENTS:
            channel = self._interest.channel(topic)
            if channel is not None and self.handler is not None:
                # Nearly every event excludes nobody.
                if data[_EXCLUSION]:
                    frame, except_id = envelope.parse_event(data)
                else:
                    frame, except_id = data[_PLAIN_FRAME:], None
                if not is_text_frame(frame):
                    self._refusals.misunderstood(f"an event without a text frame, on {topic}", envelope.sender(data))
                    return
                self._counters.events_received += 1
                try:
                    is_stored = data[0] == envelope.STORED_EVENT
                    self.handler.deliver(channel.app_id, channel.name, frame, except_id, is_stored)
                # An exception here would close the connection to the bus.
                except Exception as error:
                    self._refusals.failed(error)
        else:
            self._counters.said_received += 1
            # Messages of one node are handled in their order.
            node_id = envelope.sender(data)
            if not self._work.run(node_id, self._hear(node_id, data), len(data)):
                self._refusals.overflowed(node_id)

    def lost(self, reason: str) -> None:
        """Note that the bus is gone; local delivery goes on."""
        _log.warning("bus lost", reason=reason)
        self._membership.doubt()

    def restored(self) -> None:
        """Note that the bus is back, and fetch what both sides have missed."""
        _log.info("bus restored")
        self.reports.rejoined()
        self._heartbeats.send(hello=True)
        self._membership.unsynced()

    # What the parts of the cluster ask of the node

    def changed(self, changes: list[Change]) -> None:
        """Hand on changes on other nodes."""
        if self.handler is not None:
            self.handler.changed(changes)

    def awaits(self, app_id: str, name: str) -> bool:
        """Return whether this node needs the events of a channel without subscribers here."""
        return self.handler is not None and self.handler.awaits(app_id, name)

    # Messages that are not events

    def _hear(self, node_id: str, data: bytes) -> CostedSteps:
        message = envelope.parse(data)
        yield 1 + len(data) // _BYTES_OF_A_UNIT
        if message is None:
            # It does not count as a sign of life: garbage must not pass for a node.
            self._refusals.misunderstood(envelope.problem_with(data), node_id)
        elif self.handler is not None and not self._membership.nodes.has_left(node_id):
            yield from self._take_message(node_id, message, len(data), self.handler)

    def _take_message(self, node_id: str, message: msgspec.Struct, size: int, handler: ClusterHandler) -> CostedSteps:
        match message:
            case Goodbye():
                yield from self._membership.left(node_id)
            # The sender of one of these need not be a node.
            case RollCall():
                self._heartbeats.answer()
            case AppChanged(app_id):
                handler.app_changed(app_id)
            case Follow(seconds):
                self.followed_until = self._clock.monotonic() + min(seconds, LONGEST_FOLLOW)
            case _:
                if self._membership.nodes.known(node_id) is None:
                    yield _NEW_NODE
                peer = self._membership.heard(node_id)
                if peer is not None:
                    yield from self._take_from(peer, message, size, handler)
                    self._membership.ask_for_snapshot(peer)

    def _take_from(self, peer: Peer, message: msgspec.Struct, size: int, handler: ClusterHandler) -> CostedSteps:
        match message:
            case Heartbeat():
                self._take_heartbeat(peer, message)
            case Delta():
                yield from self._merging.delta(peer, message, size)
            case SnapshotPart():
                # As long as parts come, this node does not ask again.
                peer.asked_at = self._clock.monotonic()
                was_synced = peer.is_synced
                yield from self._merging.part(peer, message)
                if peer.is_synced and not was_synced:
                    peer.is_asked = False
                    self._counters.answers_received += 1
                    self._counters.got_answer(self._clock.monotonic() - peer.asked_since)
                self._membership.news.set()
            case Sync():
                self._counters.questions_received += 1
                self._snapshots.send_to(peer.node_id)
            case Question(number):
                self._counters.questions_received += 1
                self._voice.say(node_topic(peer.node_id), envelope.ECHO, Echo(number))
            case Echo(number):
                self._counters.answers_received += 1
                self._echoes.heard(peer.node_id, number)
            case EventToCache(app_id, name, except_id, frame):
                self._counters.events_received += 1
                self._counters.cached_received += 1
                handler.keep(app_id, name, frame)
                handler.deliver(app_id, name, frame, except_id)
            case Terminate(app_id, user_id):
                handler.terminate(app_id, user_id)
            case ForceReconnect(app_id, user_id):
                handler.force_reconnect(app_id, user_id)
            case Reports():
                yield from _in_steps(message, lambda said: self.reports.reported(peer.node_id, said))

    def _take_heartbeat(self, peer: Peer, heartbeat: Heartbeat) -> None:
        if peer.heartbeat is None:
            self.reports.met(is_older=heartbeat.started_at < self._heartbeats.started_at)
        peer.heartbeat = heartbeat
        self._membership.news.set()
        peer.take_number(heartbeat.number)
        if heartbeat.hello:
            self._heartbeats.answer()


def _in_steps(said: Reports, take: Callable[[Reports], None]) -> CostedSteps:
    """Hand on reports, some at a time if they are independent of each other."""
    if said.verb not in (Verb.REPORTED, Verb.OVERDUE):
        take(said)
        return
    for start in range(0, len(said.reports), _REPORTS_AT_ONCE):
        some = said.reports[start : start + _REPORTS_AT_ONCE]
        take(Reports(said.verb, some))
        yield len(some)
