"""Numbers the changes of this node, and sends them to the others as deltas.

Changes leave at the end of the tick. Only if many follow each other are the changes of a few milliseconds gathered, so
that a crowd does not flood the other nodes. Counts are read from the hub when a delta is made, so that a channel that
many clients join in a moment is sent once. Many changes are sent in portions, one in each tick.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Final

from sockudo.cluster.messages.state import Delta
from sockudo.cluster.peers import Journal
from sockudo.cluster.replication.batches import Batches
from sockudo.hub.hub import Hub
from sockudo.timing.clock import Clock

# The most deltas that may follow each other at once after a quiet time.
BURST: Final = 20
# The most channels, members and users in the delta of one tick.
MOST_AT_ONCE: Final = 1000


class _Pending:
    """The changes in one app since the last delta."""

    __slots__ = ("channels", "events", "members", "reads", "users")

    def __init__(self) -> None:
        self.channels: set[str] = set()
        # channel -> user id -> info, or None for a user that has left
        self.members: dict[str, dict[str, bytes | None]] = {}
        self.users: dict[str, bool] = {}
        self.events = 0
        self.reads = 0


class DeltaJournal(Journal):
    """Numbers and sends the changes here.

    Attributes:
        number: the number of the last delta sent; 0 before the first.
    """

    def __init__(self, hub: Hub, clock: Clock, interval: float, send: Callable[[Delta], None]) -> None:
        self._hub = hub
        self._clock = clock
        self._interval = interval
        # The time at which the next delta would leave, at one in each interval; bursts put it ahead of the clock.
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

    def quota_used(self, app_id: str, events: int = 0, reads: int = 0) -> None:
        """Note how much of an app's limits of events and reads per second this node has used."""
        pending = self._app(app_id)
        pending.events += events
        pending.reads += reads

    def flush(self) -> None:
        """Send the changes, if there are any; if there are many, a part of them now and the rest tick by tick."""
        if not self._pending:
            return
        self._due = max(self._due, self._clock.monotonic()) + self._interval
        batches, room = Batches(self._hub.connection_count), MOST_AT_ONCE
        for app_id in list(self._pending):
            room = self._collect(batches, app_id, room)
            if room <= 0:
                break
        if self._pending:
            self._clock.call_soon(self.flush)
        for apps in batches.parts():
            self.number += 1
            self._send(Delta(self.number, apps))

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

    def _collect(self, batches: Batches, app_id: str, room: int) -> int:
        """Take changes of an app while there is room; return how much is left. The other changes stay pending."""
        app = self._pending[app_id]
        # The delta names the app even if only its number of connections has changed.
        state = batches.app(app_id)
        state.events, state.reads = app.events, app.reads
        app.events = app.reads = 0
        while app.channels and room > 0:
            name = app.channels.pop()
            pending = app.members.pop(name, {})
            members = {user_id: pending.pop(user_id) for user_id in list(islice(pending, room))}
            self._add(batches, app_id, name, members)
            room -= 1 + len(members)
            if pending:
                app.channels.add(name)
                app.members[name] = pending
        for user_id in list(islice(app.users, max(0, room))):
            batches.user(app_id, user_id, online=app.users.pop(user_id))
            room -= 1
        if not (app.channels or app.users):
            del self._pending[app_id]
        return room - 1

    def _add(self, batches: Batches, app_id: str, name: str, members: dict[str, bytes | None]) -> None:
        channel = self._hub.channel(app_id, name)
        batches.channel(app_id, name, 0 if channel is None else channel.count, members.items())
