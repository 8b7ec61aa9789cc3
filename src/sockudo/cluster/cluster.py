"""Joins this node to the other nodes, and sends them its events and changes. `hearing` takes their messages.

Everything but `start`, `settle` and `aclose` is synchronous.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from sockudo.bus.base import Adapter
from sockudo.cluster.context import ClusterContext
from sockudo.cluster.counters import ClusterCounters
from sockudo.cluster.echoes import Echoes
from sockudo.cluster.handler import ClusterHandler, ReportHandler
from sockudo.cluster.hearing import Hearing
from sockudo.cluster.heartbeat import Heartbeats
from sockudo.cluster.interest import Interest, is_needed
from sockudo.cluster.membership import Membership
from sockudo.cluster.messages import envelope
from sockudo.cluster.messages.state import (
    AppChanged,
    Delivered,
    Delta,
    EventToCache,
    ForceReconnect,
    Goodbye,
    Question,
    Report,
    Reports,
    Terminate,
    Verb,
)
from sockudo.cluster.messages.topics import DELIVERIES, EVERYONE, channel_topic, node_topic
from sockudo.cluster.messages.voice import Voice
from sockudo.cluster.nodes import Nodes
from sockudo.cluster.peers import Peers
from sockudo.cluster.refusals import Refusals
from sockudo.cluster.replication.batches import batches_of
from sockudo.cluster.replication.journal import DeltaJournal
from sockudo.cluster.replication.merging import Merging
from sockudo.cluster.replication.remote_work import RemoteWork
from sockudo.cluster.replication.replica import Replica
from sockudo.cluster.replication.snapshots import Snapshots
from sockudo.cluster.times import ClusterTimes
from sockudo.hub.hub import Hub
from sockudo.timing.clock import Clock, Handle

# Seconds.
_SYNC_TIMEOUT: Final = 5.0
_SETTLE_TIMEOUT: Final = 2.0
_TICK: Final = 0.5


class Cluster(Peers):
    """The `Peers` of a node that has an adapter."""

    def __init__(self, hub: Hub, adapter: Adapter, clock: Clock, times: ClusterTimes) -> None:
        self.node_id = envelope.new_node_id()
        self.replica = Replica()
        self.is_alone = self.is_surely_alone = True
        self.counters = counters = ClusterCounters()
        self.nodes = Nodes(self.node_id, times.node_timeout)
        self._hub = hub
        self._adapter = adapter
        self._clock = clock
        self._times = times
        self._voice = voice = Voice(adapter, self.node_id)
        refusals = Refusals(clock, counters)
        work = RemoteWork(clock, refusals.failed, lambda: self._membership.news.set())
        context = ClusterContext(clock, voice, work, counters, refusals)
        self._interest = Interest(adapter, clock, self._is_needed)
        self.journal: DeltaJournal = DeltaJournal(hub, clock, times.delta_interval, self._send_delta)
        self._heartbeats = Heartbeats(
            hub, clock, voice, times.heartbeat_interval, lambda: (self.journal.number, len(self._interest))
        )
        self._echoes = Echoes(clock)
        merging = Merging(self.replica, counters, lambda changes: self._hearing.changed(changes))
        self._membership = Membership(context, self.nodes, merging, self._echoes, self._set_alone)
        snapshots = Snapshots(hub, self.journal, voice, work, counters)
        self._hearing = Hearing(
            context, self._interest, self._membership, merging, self._heartbeats, snapshots, self._echoes
        )
        self._ticked_at = clock.monotonic()
        self._timer: Handle | None = None
        self._event_header, self._stored_header = (envelope.header(kind, self.node_id) for kind in envelope.EVENTS)
        self._plain_event_header = self._event_header + b"\0"

    # Coming and going

    @property
    def is_healthy(self) -> bool:
        """Whether the bus can be reached."""
        return self._adapter.is_connected

    @property
    def lag(self) -> float:
        """Seconds that this node's last sign of life was under way, where the bus brings it back."""
        return self._heartbeats.lag

    @property
    def said(self) -> int:
        """How many messages this node has sent that are no plain events."""
        return self._voice.messages

    @property
    def is_synced(self) -> bool:
        """Whether this node knows everything that the live nodes have."""
        return self._membership.is_synced

    async def start(self, handler: ClusterHandler, reports: ReportHandler | None = None) -> None:
        """Join the bus, introduce this node and learn what the others have."""
        self._hearing.handler = handler
        if reports is not None:
            self._hearing.reports = reports
        await self._adapter.start(self._hearing)
        # Its own topic first: a node that is heard on the other is asked at once, and answers there.
        for topic in (node_topic(self.node_id), EVERYONE):
            if (joined := self._adapter.subscribe(topic)) is not None:
                await joined
        self._heartbeats.send(hello=True)
        self._tick()
        await asyncio.sleep(self._times.introduction)
        await self._synced()

    async def aclose(self) -> None:
        """Say goodbye and leave."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self.journal.flush()
            self._voice.say(EVERYONE, envelope.GOODBYE, Goodbye())
        await self._adapter.aclose()

    async def settle(self) -> None:
        """Wait until everything that the others have published by now has arrived here: each answers behind it."""
        if self.is_alone or not self.is_healthy:
            return
        counters, asked_at = self.counters, self._clock.monotonic()
        counters.questions_sent += 1
        try:
            async with asyncio.timeout(_SETTLE_TIMEOUT):
                await self._echoes.all_heard(self.node_ids(), self._ask_for_echoes)
        except TimeoutError:
            counters.unanswered += 1
        else:
            counters.got_answer(self._clock.monotonic() - asked_at)

    async def _synced(self) -> None:
        """Wait until this node knows everything that the live nodes have."""
        news = self._membership.news
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SYNC_TIMEOUT):
                while not self.is_synced:
                    news.clear()
                    await news.wait()

    # What the node sends

    def join(
        self, app_id: str, name: str, *, is_kept: bool = False, has_caught_up: bool = False
    ) -> asyncio.Future[None] | None:
        """Receive the events of a channel for one more subscriber, from now on and no earlier ones."""
        return self._interest.join(app_id, name, is_kept=is_kept, has_caught_up=has_caught_up or self.is_surely_alone)

    def release(self, app_id: str, name: str) -> None:
        """Note that the last subscriber of a channel here is gone."""
        self._interest.release(app_id, name)

    def publish(self, app_id: str, name: str, frame: bytes, except_id: str | None, *, is_stored: bool = False) -> None:
        """Send an event to the nodes that have subscribers of its channel; see `Peers.publish`."""
        # hot path
        if self.is_surely_alone:
            return
        self.counters.events_sent += 1
        if except_id is None and not is_stored:
            data = self._plain_event_header + frame
        else:
            header = self._stored_header if is_stored else self._event_header
            data = header + envelope.event_rest(frame, except_id)
        self._adapter.publish(channel_topic(app_id, name), data)

    def publish_cached(self, app_id: str, name: str, frame: bytes, except_id: str | None) -> None:
        """Send an event of a cache channel to every node, which keeps it."""
        if self.is_surely_alone:
            return
        self.counters.events_sent += 1
        self.counters.cached_sent += 1
        self._voice.say(EVERYONE, envelope.CACHED_EVENT, EventToCache(app_id, name, except_id, frame))

    def terminate(self, app_id: str, user_id: str) -> None:
        """End the connections that a user has on other nodes."""
        self._voice.say(EVERYONE, envelope.TERMINATE, Terminate(app_id, user_id))

    def force_reconnect(self, app_id: str, user_id: str) -> None:
        """End the connections that a user has on other nodes, so that its clients connect again."""
        self._voice.say(EVERYONE, envelope.FORCE_RECONNECT, ForceReconnect(app_id, user_id))

    def app_changed(self, app_id: str) -> None:
        """Tell the other nodes that an app has changed in the database."""
        self._voice.say(EVERYONE, envelope.APP_CHANGED, AppChanged(app_id))

    def is_owner(self, app_id: str, name: str) -> bool:
        """Return whether this node reports a channel to webhook receivers."""
        return self.is_alone or self.nodes.owner(app_id, name) == self.node_id

    def report(self, verb: Verb, reports: list[Report], to: str | None = None, *, is_reliable: bool = True) -> None:
        """Send reports, or a question about them, to every node, or to one node (`to`)."""
        if self.is_alone:
            return
        topic, node_ids = EVERYONE if to is None else node_topic(to), self.node_ids() if verb is Verb.ASK else []
        *others, last = batches_of(reports)
        for some in others:
            self._voice.say(topic, envelope.REPORTS, Reports(verb, some, node_ids, is_reliable, has_more=True))
        self._voice.say(topic, envelope.REPORTS, Reports(verb, last, node_ids, is_reliable))

    def delivered(self, delivered: Delivered) -> None:
        """Send an attempt to deliver a webhook to the followers, if there are any."""
        if self._clock.monotonic() < self._hearing.followed_until:
            self._voice.say(DELIVERIES, envelope.DELIVERED, delivered)

    def node_ids(self) -> list[str]:
        """Return the ids of the other live nodes, as far as this one knows."""
        return [peer.node_id for peer in self.nodes.peers()]

    # Keeping up

    def _tick(self) -> None:
        now = self._clock.monotonic()
        self._timer = self._clock.call_later(_TICK, self._tick)
        stalled = now - self._ticked_at - _TICK
        self._ticked_at = now
        if stalled > _TICK:
            # This process was stopped: the others were not silent, this node did not listen.
            self.nodes.excuse(stalled, now)
        self._heartbeats.send_if_due()
        if not self.is_healthy:
            self._membership.doubt()
        self._membership.look()

    def _set_alone(self, is_alone: bool, is_sure: bool) -> None:
        self.is_alone, self.is_surely_alone = is_alone, is_sure

    def _ask_for_echoes(self, question: int) -> None:
        self._voice.say(EVERYONE, envelope.QUESTION, Question(question))

    def _send_delta(self, delta: Delta) -> None:
        self.counters.deltas_sent += 1
        self._voice.say(EVERYONE, envelope.DELTA, delta)

    def _is_needed(self, app_id: str, name: str) -> bool:
        return self._hearing.awaits(app_id, name) or is_needed(self._hub, app_id, name)
