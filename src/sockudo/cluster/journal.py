"""This node's own changes: numbered, and told to the others as deltas.

Changes are told at the end of the tick. Only where many follow each other are those of a few milliseconds gathered, so
that a crowd does not flood the other nodes. Counts are read from the hub when a delta is made, so that a channel that
many join in a moment is told of once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from sockudo.clock import Clock
from sockudo.cluster.state import PART_BYTES, AppState, ChannelState, Delta, SnapshotPart
from sockudo.hub.channel import Channel
from sockudo.hub.hub import Hub

# Deltas that may follow each other at once after a quiet time.
BURST: Final = 20


class _Pending:
    """What has changed in one app since the last delta."""

    __slots__ = ("channels", "members", "users")

    def __init__(self) -> None:
        self.channels: set[str] = set()
        # channel -> user id -> info, or None for a user that has left
        self.members: dict[str, dict[str, bytes | None]] = {}
        self.users: dict[str, bool] = {}


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

    def flush(self) -> None:
        """Send what has changed, if anything has."""
        if not self._pending:
            return
        pending, self._pending = self._pending, {}
        self.number += 1
        self._due = max(self._due, self._clock.monotonic()) + self._interval
        self._send(Delta(self.number, {app_id: self._state(app_id, app) for app_id, app in pending.items()}))

    def snapshot(self) -> list[SnapshotPart]:
        """Return everything this node has, in parts that fit a message; pending changes are sent before."""
        self.flush()
        parts = list(self._parts()) or [{}]
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

    def _state(self, app_id: str, pending: _Pending) -> AppState:
        channels = {name: self._channel_state(app_id, name, pending.members.get(name, {})) for name in pending.channels}
        return AppState(
            self._hub.connection_count(app_id),
            channels,
            [user_id for user_id, online in pending.users.items() if online],
            [user_id for user_id, online in pending.users.items() if not online],
        )

    def _channel_state(self, app_id: str, name: str, members: dict[str, bytes | None]) -> ChannelState:
        channel = self._hub.channel(app_id, name)
        return ChannelState(
            0 if channel is None else len(channel.subscribers),
            {user_id: info for user_id, info in members.items() if info is not None},
            [user_id for user_id, info in members.items() if info is None],
        )

    def _parts(self) -> Iterator[dict[str, AppState]]:
        for app_id in self._hub.app_ids():
            part = _Part(self._hub.connection_count(app_id))
            for channel in self._hub.channels(app_id):
                part.add_channel(channel)
                if part.is_full:
                    yield {app_id: part.state}
                    part = _Part(self._hub.connection_count(app_id))
            for user_id in self._hub.online_users(app_id):
                part.add_user(user_id)
                if part.is_full:
                    yield {app_id: part.state}
                    part = _Part(self._hub.connection_count(app_id))
            yield {app_id: part.state}


class _Part:
    """A part of a snapshot that is being filled."""

    def __init__(self, connections: int) -> None:
        self.state = AppState(connections, {}, [], [])
        self._size = 0

    @property
    def is_full(self) -> bool:
        return self._size > PART_BYTES

    def add_channel(self, channel: Channel) -> None:
        members = {} if channel.members is None else dict(channel.members.infos())
        self.state.channels[channel.name] = ChannelState(len(channel.subscribers), members, [])
        self._size += len(channel.name) + 16
        self._size += sum(len(user_id) + len(user_info) + 8 for user_id, user_info in members.items())

    def add_user(self, user_id: str) -> None:
        self.state.online.append(user_id)
        self._size += len(user_id) + 4
