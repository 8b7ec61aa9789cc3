"""This node's own changes: numbered, and told to the others as deltas.

Changes are told at the end of the tick. Only where many follow each other are those of a few milliseconds gathered, so
that a crowd does not flood the other nodes. Counts are read from the hub when a delta is made, so that a channel that
many join in a moment is told of once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from sockudo.clock import Clock
from sockudo.cluster.batches import Batches
from sockudo.cluster.state import AppState, Delta, SnapshotPart
from sockudo.hub.hub import Hub

# Deltas that may follow each other at once after a quiet time.
BURST: Final = 20


class _Pending:
    """What has changed in one app since the last delta."""

    __slots__ = ("channels", "events", "members", "reads", "users")

    def __init__(self) -> None:
        self.channels: set[str] = set()
        # channel -> user id -> info, or None for a user that has left
        self.members: dict[str, dict[str, bytes | None]] = {}
        self.users: dict[str, bool] = {}
        self.events = 0
        self.reads = 0


class Journal:
    """Numbers and sends what changes here.

    Attributes:
        number: of the last delta sent; 0 before the first.
    """

    def __init__(self, hub: Hub, clock: Clock, interval: float, send: Callable[[Delta], None]) -> None:
        self._hub = hub
        self._clock = clock
        self._interval = interval
        # How far the deltas are ahead of one in each interval is how far this is ahead of the time.
        self._due = float("-inf")
        self._send = send
        self._pending: dict[str, _Pending] = {}
        self.number = 0

    def connections_changed(self, app_id: str) -> None:
        """Note that a connection of an app has come or gone."""
        self._app(app_id)

    def channel_changed(self, app_id: str, name: str) -> None:
        """Note that a channel has more or fewer subscribers."""
        self._app(app_id).channels.add(name)

    def member_changed(self, app_id: str, name: str, user_id: str, user_info: bytes | None) -> None:
        """Note that a user has come to a presence channel, or has left it (None)."""
        pending = self._app(app_id)
        pending.channels.add(name)
        pending.members.setdefault(name, {})[user_id] = user_info

    def user_changed(self, app_id: str, user_id: str, *, online: bool) -> None:
        """Note that a user has signed in here, or is gone from here."""
        self._app(app_id).users[user_id] = online

    def quota_used(self, app_id: str, events: int, reads: int) -> None:
        """Note what was let through of an app's limits of events and reads a second."""
        pending = self._app(app_id)
        pending.events += events
        pending.reads += reads

    def flush(self) -> None:
        """Send what has changed, if anything has; in one delta, or in several that fit a message each."""
        if not self._pending:
            return
        pending, self._pending = self._pending, {}
        self._due = max(self._due, self._clock.monotonic()) + self._interval
        for apps in self._changes(pending):
            self.number += 1
            self._send(Delta(self.number, apps))

    def snapshot(self) -> list[SnapshotPart]:
        """Return everything this node has, in parts that fit a message; pending changes are sent before."""
        self.flush()
        parts = self._everything()
        return [SnapshotPart(self.number, part, len(parts), apps) for part, apps in enumerate(parts)]

    def _app(self, app_id: str) -> _Pending:
        if not self._pending:
            wait = self._due - (BURST - 1) * self._interval - self._clock.monotonic()
            if wait > 0:
                self._clock.call_later(wait, self.flush)
            else:
                self._clock.call_soon(self.flush)
        pending = self._pending.get(app_id)
        if pending is None:
            pending = self._pending[app_id] = _Pending()
        return pending

    def _changes(self, pending: Mapping[str, _Pending]) -> list[dict[str, AppState]]:
        batches = Batches(self._hub.connection_count)
        for app_id, app in pending.items():
            # Named also where nothing but the number of its connections has changed.
            state = batches.app(app_id)
            state.events, state.reads = app.events, app.reads
            for name in app.channels:
                channel = self._hub.channel(app_id, name)
                count = 0 if channel is None else len(channel.subscribers)
                batches.channel(app_id, name, count, app.members.get(name, {}).items())
            for user_id, online in app.users.items():
                batches.user(app_id, user_id, online=online)
        return batches.parts()

    def _everything(self) -> list[dict[str, AppState]]:
        batches = Batches(self._hub.connection_count)
        for app_id in self._hub.app_ids():
            batches.app(app_id)
            for channel in self._hub.channels(app_id):
                members = () if channel.members is None else channel.members.infos()
                batches.channel(app_id, channel.name, len(channel.subscribers), members)
            for user_id in self._hub.online_users(app_id):
                batches.user(app_id, user_id, online=True)
        return batches.parts()
