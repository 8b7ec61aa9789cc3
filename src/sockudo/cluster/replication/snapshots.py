"""Sends snapshots of this node to the nodes that ask: in slices, and one snapshot for all that ask meanwhile.

Clients come and go while a snapshot is made. The deltas after it have these changes, whether or not it has them too.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from sockudo.cluster.counters import ClusterCounters
from sockudo.cluster.messages import envelope
from sockudo.cluster.messages.state import AppState, SnapshotPart
from sockudo.cluster.messages.topics import node_topic
from sockudo.cluster.messages.voice import Voice
from sockudo.cluster.replication.batches import Batches
from sockudo.cluster.replication.journal import DeltaJournal
from sockudo.cluster.replication.remote_work import CostedSteps, RemoteWork
from sockudo.hub.channel import Channel
from sockudo.hub.hub import Hub
from sockudo.pusher.events import roster_entry_info

_LANE: Final = "snapshots"
# The channels, members or users of one step, its cost, and how many nodes are sent a part in one step.
_AT_ONCE: Final = 100
_STEP: Final = 10
_NODES_AT_ONCE: Final = 16


class Snapshots:
    """Makes and sends snapshots."""

    def __init__(
        self, hub: Hub, journal: DeltaJournal, voice: Voice, work: RemoteWork, counters: ClusterCounters
    ) -> None:
        self._hub = hub
        self._journal = journal
        self._voice = voice
        self._work = work
        self._counters = counters
        # Nodes that have asked and are sent nothing yet.
        self._wanted: dict[str, None] = {}

    def send_to(self, node_id: str) -> None:
        """Send a snapshot to a node."""
        self._wanted[node_id] = None
        if len(self._wanted) == 1 and not self._work.is_busy(_LANE):
            self._work.run(_LANE, self._sending())

    def _sending(self) -> CostedSteps:
        while self._wanted:
            node_ids, self._wanted = list(self._wanted), {}
            self._counters.snapshots_sent += len(node_ids)
            self._journal.flush()
            number, index = self._journal.number, 0
            for apps, is_last in self._parts():
                if apps is None:
                    yield _STEP
                else:
                    yield from self._send(node_ids, SnapshotPart(number, index, is_last, apps))
                    index += 1

    def _send(self, node_ids: list[str], part: SnapshotPart) -> CostedSteps:
        message = self._voice.message(envelope.SNAPSHOT, part)
        receivers = iter(node_ids)
        while some := list(islice(receivers, _NODES_AT_ONCE)):
            for node_id in some:
                self._voice.send(node_topic(node_id), message)
            yield _STEP

    def _parts(self) -> Iterator[tuple[dict[str, AppState] | None, bool]]:
        """Yield each part when it is full, and whether it is the last one; None between two steps of little work."""
        batches = Batches(self._hub.connection_count)
        for _ in self._walk(batches):
            yield None, False
            for apps in batches.closed():
                yield apps, False
        *others, last = batches.parts()
        for apps in others:
            yield apps, False
        yield last, True

    def _walk(self, batches: Batches) -> Iterator[None]:
        """Add everything to batches, step by step; clients may come and go between two steps."""
        for app_id in self._hub.app_ids():
            batches.app(app_id)
            for number, channel in enumerate(list(self._hub.channels(app_id))):
                # A delta has what happened to it since.
                if channel.count:
                    yield from self._add(batches, app_id, channel)
                if number % _AT_ONCE == 0:
                    yield
            for number, user_id in enumerate(list(self._hub.online_users(app_id))):
                batches.user(app_id, user_id, online=True)
                if number % _AT_ONCE == 0:
                    yield

    @staticmethod
    def _add(batches: Batches, app_id: str, channel: Channel) -> Iterator[None]:
        count = channel.count
        entries = {} if channel.members is None else dict(channel.members.pieces()[1])
        members: Iterator[tuple[str, bytes]] = ((key, roster_entry_info(key, entry)) for key, entry in entries.items())
        some = list(islice(members, _AT_ONCE))
        batches.channel(app_id, channel.name, count, some)
        while len(some) == _AT_ONCE:
            yield
            some = list(islice(members, _AT_ONCE))
            batches.channel(app_id, channel.name, count, some)
