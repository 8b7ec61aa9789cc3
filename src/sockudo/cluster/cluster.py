"""This node among the others: what it says over the bus, what it hears, and what it makes of it.

Everything but `start`, `settle` and `aclose` is synchronous. A message that cannot be understood is dropped and
counted: a node of another version must not be able to bring this one down.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import msgspec

from sockudo.clock import Clock, Handle
from sockudo.cluster import envelope
from sockudo.cluster.base import Adapter
from sockudo.cluster.counters import ClusterCounters
from sockudo.cluster.echoes import Echoes
from sockudo.cluster.handler import ClusterHandler
from sockudo.cluster.heartbeat import own_heartbeat
from sockudo.cluster.interest import Interest, is_needed
from sockudo.cluster.journal import Journal
from sockudo.cluster.nodes import Nodes, Peer
from sockudo.cluster.purges import Purges
from sockudo.cluster.replica import Change, Replica
from sockudo.cluster.state import (
    LONGEST_FOLLOW,
    AppChanged,
    CachedEvent,
    Delivered,
    Delta,
    Echo,
    Follow,
    Goodbye,
    Heartbeat,
    Question,
    Report,
    Reports,
    RollCall,
    SnapshotPart,
    Sync,
    Terminate,
    Verb,
    encode,
)
from sockudo.cluster.times import ClusterTimes
from sockudo.cluster.topics import DELIVERIES, EVERYONE, channel_topic, node_topic
from sockudo.hub.hub import Hub
from sockudo.log import get_logger

_log = get_logger("sockudo.cluster")

_SYNC_TIMEOUT, _SETTLE_TIMEOUT = 5.0, 2.0
_ASK_FOR_SNAPSHOT_AGAIN: Final = 2.0
_TICK: Final = 0.5


class Cluster:
    """The `Peers` of a node that has an adapter."""

    def __init__(self, hub: Hub, adapter: Adapter, clock: Clock, times: ClusterTimes) -> None:
        self.node_id = envelope.new_node_id()
        self.replica = Replica()
        self.is_alone = True
        self.counters = ClusterCounters()
        self.nodes = Nodes(self.node_id, times.node_timeout)
        self._hub = hub
        self._adapter = adapter
        self._clock = clock
        self._times = times
        self._handler: ClusterHandler | None = None
        self._purges = Purges(self.replica, clock, self._changed)
        self._interest = Interest(adapter, clock, self._is_needed)
        self._journal = Journal(hub, clock, times.delta_interval, self._send_delta)
        self._started_at = clock.now()
        self._next_heartbeat = 0.0
        self._ticked_at = clock.monotonic()
        self._timer: Handle | None = None
        self._lag = self._followed_until = 0.0
        self._echoes = Echoes(clock)
        # Set when what is known of the others has changed.
        self._news = asyncio.Event()
        self._event_header, self._stored_header = (envelope.header(kind, self.node_id) for kind in envelope.EVENTS)
        self._plain_event_header = self._event_header + b"\0"
        self._own_id = bytes.fromhex(self.node_id)

    # Coming and going

    @property
    def is_healthy(self) -> bool:
        """Whether the bus can be reached."""
        return self._adapter.is_connected

    @property
    def is_synced(self) -> bool:
        """Whether everything is known that the nodes alive have."""
        return all(peer.is_synced for peer in self.nodes.peers())

    async def start(self, handler: ClusterHandler) -> None:
        """Join the bus, introduce this node and learn what the others have."""
        self._handler = handler
        await self._adapter.start(self)
        # Its own topic first: who is heard on the other is asked at once, and answers there.
        for topic in (node_topic(self.node_id), EVERYONE):
            if (joined := self._adapter.subscribe(topic)) is not None:
                await joined
        self._send_heartbeat(hello=True)
        self._tick()
        await asyncio.sleep(self._times.introduction)
        await self._synced()

    async def aclose(self) -> None:
        """Say goodbye and leave."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._journal.flush()
            self._say(EVERYONE, envelope.GOODBYE, encode(Goodbye()))
        await self._adapter.aclose()

    async def settle(self) -> None:
        """Wait until what the others have published by now has arrived here: each answers behind it."""
        if self.is_alone or not self.is_healthy:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SETTLE_TIMEOUT):
                await self._echoes.all_heard(self.node_ids(), self._ask_for_echoes)

    async def _synced(self) -> None:
        """Wait until everything is known that the nodes alive have."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SYNC_TIMEOUT):
                while not self.is_synced:
                    self._news.clear()
                    await self._news.wait()

    # What the node says

    def join(
        self, app_id: str, name: str, *, is_kept: bool = False, has_caught_up: bool = False
    ) -> asyncio.Future[None] | None:
        """See to it that events of a channel arrive here, for one more subscriber, and nothing from before."""
        return self._interest.join(app_id, name, is_kept=is_kept, has_caught_up=has_caught_up or self.is_alone)

    def release(self, app_id: str, name: str) -> None:
        """Note that the last subscriber of a channel here is gone."""
        self._interest.release(app_id, name)

    def publish(self, app_id: str, name: str, frame: bytes, except_id: str | None, *, is_stored: bool = False) -> None:
        """Send an event to the nodes that have subscribers of its channel; see `Peers.publish`."""
        # hot path
        if self.is_alone:
            return
        self.counters.events_sent += 1
        if except_id is None and not is_stored:
            data = self._plain_event_header + frame
        else:
            header = self._stored_header if is_stored else self._event_header
            data = header + envelope.event_rest(frame, except_id)
        self._adapter.publish(channel_topic(app_id, name), data)

    def publish_cached(self, app_id: str, name: str, frame: bytes, except_id: str | None) -> None:
        """Send an event of a cache channel to every node, to be kept there."""
        if self.is_alone:
            return
        self.counters.events_sent += 1
        self._say(EVERYONE, envelope.CACHED_EVENT, encode(CachedEvent(app_id, name, except_id, frame)))

    def terminate(self, app_id: str, user_id: str) -> None:
        """End the connections that a user has on other nodes."""
        self._say(EVERYONE, envelope.TERMINATE, encode(Terminate(app_id, user_id)))

    def app_changed(self, app_id: str) -> None:
        """Tell that an app has been changed in the database."""
        self._say(EVERYONE, envelope.APP_CHANGED, encode(AppChanged(app_id)))

    def connections_changed(self, app_id: str) -> None:
        """Tell that a connection has come or gone here."""
        self._journal.connections_changed(app_id)

    def channel_changed(self, app_id: str, name: str) -> None:
        """Tell that a channel has more or fewer subscribers here."""
        self._journal.channel_changed(app_id, name)

    def member_changed(self, app_id: str, name: str, user_id: str, user_info: bytes | None) -> None:
        """Tell that a user has come to a presence channel here, or has left it (None)."""
        self._journal.member_changed(app_id, name, user_id, user_info)

    def user_changed(self, app_id: str, user_id: str, *, online: bool) -> None:
        """Tell that a user has signed in here, or is gone from here."""
        self._journal.user_changed(app_id, user_id, online=online)

    def quota_used(self, app_id: str, events: int = 0, reads: int = 0) -> None:
        """Tell what was let through here of an app's limits of events and reads a second."""
        self._journal.quota_used(app_id, events, reads)

    def is_owner(self, app_id: str, name: str) -> bool:
        """Tell whether this node speaks for a channel to the outside."""
        return self.is_alone or self.nodes.owner(app_id, name) == self.node_id

    def report(self, verb: Verb, reports: list[Report], to: str | None = None, *, is_sure: bool = True) -> None:
        """Say something about reports to the outside: to every node, or to the one whose id is given."""
        if not self.is_alone:
            said = Reports(verb, reports, self.node_ids() if verb is Verb.ASK else [], is_sure)
            self._say(EVERYONE if to is None else node_topic(to), envelope.REPORTS, encode(said))

    def delivered(self, delivered: Delivered) -> None:
        """Tell of an attempt to deliver a webhook, if somebody follows."""
        if self._clock.monotonic() < self._followed_until:
            self._say(DELIVERIES, envelope.DELIVERED, encode(delivered))

    def node_ids(self) -> list[str]:
        """Return the ids of the other nodes that are alive, as far as this one knows."""
        return [peer.node_id for peer in self.nodes.peers()]

    # What it hears (the adapter's inbox)

    def received(self, topic: str, data: bytes) -> None:
        """Take one message of the bus."""
        # hot path
        if len(data) <= envelope.HEADER_BYTES:
            self.counters.misunderstood += 1
            return
        if data[1 : envelope.HEADER_BYTES] == self._own_id:
            self._take_own(data)
        elif data[0] in envelope.EVENTS:
            place = self._interest.place(topic)
            if place is not None and self._handler is not None:
                self.counters.events_received += 1
                frame, except_id = envelope.parse_event(data)
                self._handler.deliver(place.app_id, place.name, frame, except_id, data[0] == envelope.STORED_EVENT)
        else:
            self._take_control(data)

    def lost(self, reason: str) -> None:
        """Note that the bus is gone: local delivery goes on."""
        _log.warning("bus lost", reason=reason)

    def restored(self) -> None:
        """Note that the bus is back: what was missed on both sides is fetched."""
        _log.info("bus restored")
        if self._handler is not None:
            self._handler.rejoined()
        for peer in self.nodes.peers():
            peer.is_synced = False
        self._send_heartbeat(hello=True)
        self._ask_for_snapshots(at_once=True)

    def _take_own(self, data: bytes) -> None:
        heartbeat = envelope.parse(data) if data[0] == envelope.HEARTBEAT else None
        if isinstance(heartbeat, Heartbeat):
            self._lag = max(0.0, self._clock.now() - heartbeat.sent_at)

    def _take_control(self, data: bytes) -> None:
        node_id, message = envelope.sender(data), envelope.parse(data)
        if message is None:
            # No sign of life: garbage must not pass for a node.
            self.counters.misunderstood += 1
            return
        if self.nodes.has_left(node_id):
            return
        match message:
            case Goodbye():
                if self.nodes.leave(node_id):
                    self._forgotten(node_id, "left")
            # Who says one of these need be no node.
            case RollCall():
                self._send_heartbeat(hello=False)
            case AppChanged(app_id) if self._handler is not None:
                self._handler.app_changed(app_id)
            case Follow(seconds):
                self._followed_until = self._clock.monotonic() + min(seconds, LONGEST_FOLLOW)
            case _:
                self._take_from(node_id, message)

    def _take_from(self, node_id: str, message: msgspec.Struct) -> None:
        peer, is_new = self.nodes.heard(node_id, self._clock.monotonic())
        if is_new:
            self.is_alone = False
            self._purges.stop(node_id)
            _log.info("node joined", node=node_id, nodes=len(self.nodes) + 1)
        self._take(peer, message)
        self._ask_for_snapshot(peer)

    def _take(self, peer: Peer, message: msgspec.Struct) -> None:
        match message:
            case Heartbeat():
                self._take_heartbeat(peer, message)
            case Delta() if peer.take_delta(message):
                self.counters.deltas_received += 1
                self._changed(self.replica.apply(peer.node_id, message.apps))
            case SnapshotPart():
                self._take_snapshot(peer, message)
            case Sync():
                self._send_snapshot(peer.node_id)
            case Question(number):
                self._say(node_topic(peer.node_id), envelope.ECHO, encode(Echo(number)))
            case Echo(number):
                self._echoes.heard(peer.node_id, number)
            case CachedEvent(app_id, name, except_id, frame) if self._handler is not None:
                self.counters.events_received += 1
                self._handler.keep(app_id, name, frame)
                self._handler.deliver(app_id, name, frame, except_id)
            case Terminate(app_id, user_id) if self._handler is not None:
                self._handler.terminate(app_id, user_id)
            case Reports() if self._handler is not None:
                self._handler.reported(peer.node_id, message)

    def _take_heartbeat(self, peer: Peer, heartbeat: Heartbeat) -> None:
        if peer.heartbeat is None and self._handler is not None:
            self._handler.met(is_older=heartbeat.started_at < self._started_at)
        peer.heartbeat = heartbeat
        self._news.set()
        peer.take_number(heartbeat.number)
        if heartbeat.hello:
            self._send_heartbeat(hello=False)

    def _take_snapshot(self, peer: Peer, part: SnapshotPart) -> None:
        apps = peer.take_part(part)
        if apps is None:
            return
        self.counters.snapshots_received += 1
        self._news.set()
        changes = self.replica.replace(peer.node_id, apps)
        for delta in peer.next_deltas():
            changes += self.replica.apply(peer.node_id, delta.apps)
        self._changed(changes)

    # Keeping up

    def _tick(self) -> None:
        now = self._clock.monotonic()
        self._timer = self._clock.call_later(_TICK, self._tick)
        stalled = now - self._ticked_at - _TICK
        self._ticked_at = now
        if stalled > _TICK:
            # This process was stopped: the others were not silent, nobody listened.
            self.nodes.excuse(stalled, now)
        if now >= self._next_heartbeat:
            self._send_heartbeat(hello=False)
        for node_id in self.nodes.silent(now):
            if self.nodes.forget(node_id):
                self._forgotten(node_id, "silent")
        self._ask_for_snapshots()

    def _forgotten(self, node_id: str, why: str) -> None:
        """Note that a node is gone: everything it had leaves by the same path as if it had said so."""
        self.is_alone = not len(self.nodes)
        self._news.set()
        self._echoes.forget(node_id)
        self.counters.nodes_purged += 1
        _log.info("node gone", node=node_id, why=why, nodes=len(self.nodes) + 1)
        self._purges.begin(node_id)

    def _changed(self, changes: list[Change]) -> None:
        if changes and self._handler is not None:
            self._handler.changed(changes)

    def _ask_for_snapshots(self, *, at_once: bool = False) -> None:
        for peer in self.nodes.peers():
            self._ask_for_snapshot(peer, at_once=at_once)

    def _ask_for_snapshot(self, peer: Peer, *, at_once: bool = False) -> None:
        now = self._clock.monotonic()
        if not peer.is_synced and (at_once or now - peer.asked_at >= _ASK_FOR_SNAPSHOT_AGAIN):
            peer.asked_at = now
            self._say(node_topic(peer.node_id), envelope.SYNC, encode(Sync()))

    def _ask_for_echoes(self, question: int) -> None:
        self._say(EVERYONE, envelope.QUESTION, encode(Question(question)))

    def _send_snapshot(self, node_id: str) -> None:
        self.counters.snapshots_sent += 1
        for part in self._journal.snapshot():
            self._say(node_topic(node_id), envelope.SNAPSHOT, encode(part))

    def _send_delta(self, delta: Delta) -> None:
        self.counters.deltas_sent += 1
        self._say(EVERYONE, envelope.DELTA, encode(delta))

    def _send_heartbeat(self, *, hello: bool) -> None:
        self._next_heartbeat = self._clock.monotonic() + self._times.heartbeat_interval
        heartbeat = own_heartbeat(
            self._hub,
            number=self._journal.number,
            hello=hello,
            sent_at=self._clock.now(),
            started_at=self._started_at,
            topics=len(self._interest),
            lag=self._lag,
        )
        self._say(EVERYONE, envelope.HEARTBEAT, encode(heartbeat))

    def _say(self, topic: str, kind: int, rest: bytes) -> None:
        self._adapter.publish(topic, envelope.header(kind, self.node_id) + rest)

    def _is_needed(self, app_id: str, name: str) -> bool:
        is_awaited = self._handler is not None and self._handler.awaits(app_id, name)
        return is_awaited or is_needed(self._hub, app_id, name)
