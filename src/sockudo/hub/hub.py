"""The routing table of this process: apps -> connections, channels, users.

Rules: synchronous and in memory; nothing here awaits, so nothing here can race. A step changes state and returns the
changes as values; the node sends them to clients.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from sockudo.hub.broadcast import Broadcast
from sockudo.hub.changes import Joined, Left, Offline
from sockudo.hub.channel import Channel
from sockudo.hub.connection import Connection
from sockudo.hub.outbox import Flusher
from sockudo.hub.totals import AppTotals, Totals
from sockudo.hub.users import Users
from sockudo.pusher.channels import ChannelKind
from sockudo.pusher.members import Identity


class AppRoutes:
    """The part of the routing table that belongs to one app."""

    __slots__ = ("channels", "connections", "totals", "users")

    def __init__(self, totals: AppTotals) -> None:
        self.totals = totals
        self.connections: dict[str, Connection] = {}
        self.channels: dict[str, Channel] = {}
        self.users = Users()

    @property
    def is_empty(self) -> bool:
        """Whether the app has no connection here, and none that is still leaving its channels."""
        return not (self.connections or self.channels or self.users)


class Hub:
    """The connections, channels and users of this process.

    Attributes:
        totals: what each app has done since the start.
    """

    def __init__(self, flusher: Flusher) -> None:
        self.flusher = flusher
        self.totals = Totals()
        self._apps: dict[str, AppRoutes] = {}

    def add(self, connection: Connection) -> None:
        """Register an accepted connection."""
        routes = self._apps.get(connection.app.id)
        if routes is None:
            routes = self._apps[connection.app.id] = AppRoutes(self.totals[connection.app.id])
        routes.connections[connection.socket_id] = connection
        connection.totals = routes.totals
        routes.totals.connections += 1

    def remove(self, connection: Connection) -> Iterator[Left | Offline]:
        """Forget a connection at once, then take it off its channels, one change at a time; safe to call again.

        The table stays consistent between two changes: a connection still counts on the channels that it has not left
        yet, so a user who comes back meanwhile has never been gone.
        """
        routes = self._apps.get(connection.app.id)
        if routes is None or routes.connections.pop(connection.socket_id, None) is None:
            return iter(())
        routes.totals.disconnections += 1
        return self._leave_all(routes, connection)

    def remove_at_once(self, connection: Connection) -> Left | None:
        """Forget a connection that `is_quick_to_remove`, in one step; return how it has left its channel."""
        # hot path
        app_id = connection.app.id
        routes = self._apps.get(app_id)
        if routes is None or routes.connections.pop(connection.socket_id, None) is None:
            return None
        routes.totals.disconnections += 1
        subscriptions, connection.subscriptions = connection.subscriptions, None
        left = None
        if subscriptions:
            name, user_id = subscriptions.popitem()
            left = _leave(routes, routes.channels[name], connection, user_id)
        if not routes.connections and routes.is_empty:
            del self._apps[app_id]
        return left

    def _leave_all(self, routes: AppRoutes, connection: Connection) -> Iterator[Left | Offline]:
        subscriptions, connection.subscriptions = connection.subscriptions, None
        for name, user_id in (subscriptions or {}).items():
            yield _leave(routes, routes.channels[name], connection, user_id)
        user = connection.user
        if user is not None and routes.users.remove(user.user_id, connection):
            yield Offline(user.user_id)
        app_id = connection.app.id
        # Clients that have come back may have a new table.
        if routes.is_empty and self._apps.get(app_id) is routes:
            del self._apps[app_id]

    def subscribe(
        self, connection: Connection, name: str, kind: ChannelKind, identity: Identity | None = None
    ) -> Joined | None:
        """Put a registered connection on a channel; `identity` is the member, on presence channels.

        Returns None, and changes nothing, if it was on the channel already.
        """
        subscriptions = connection.subscriptions
        if subscriptions is None:
            subscriptions = connection.subscriptions = {}
        elif name in subscriptions:
            return None
        routes = self._apps[connection.app.id]
        totals = routes.totals
        channel = routes.channels.get(name)
        first_here = channel is None
        if channel is None:
            channel = routes.channels[name] = Channel(name, kind, totals)
            totals.channels[kind.label] += 1
        totals.subscriptions[kind.label] += 1
        channel.add(connection)
        member_added = None
        if channel.members is not None:
            assert identity is not None, "a presence channel has members only"
            subscriptions[name] = identity.user_id
            if channel.members.join(identity):
                member_added = identity.user_id
        else:
            subscriptions[name] = None
        return Joined(channel, first_here, member_added)

    def unsubscribe(self, connection: Connection, name: str) -> Left | None:
        """Take a connection off a channel; return None if it was not on it."""
        subscriptions = connection.subscriptions
        if subscriptions is None or name not in subscriptions:
            return None
        routes = self._apps[connection.app.id]
        return _leave(routes, routes.channels[name], connection, subscriptions.pop(name))

    def sign_in(self, connection: Connection, user: Identity) -> bool:
        """Note the user of a connection; return whether the user has just come online."""
        connection.user = user
        return self._apps[connection.app.id].users.add(user.user_id, connection)

    def deliver(self, app_id: str, name: str, broadcast: Broadcast, except_id: str | None = None) -> int:
        """Send an event to every subscriber of a channel here, but the connection `except_id`; return how many."""
        # hot path
        routes = self._apps.get(app_id)
        if routes is None:
            return 0
        channel = routes.channels.get(name)
        if channel is None:
            return 0
        recipients = channel.broadcast(broadcast, None if except_id is None else routes.connections.get(except_id))
        self.flusher.wake()
        return recipients

    def deliver_to_user(self, app_id: str, user_id: str, broadcast: Broadcast, except_id: str | None = None) -> None:
        """Send an event to every connection signed in as a user, but the connection `except_id`."""
        for connection in self.user_connections(app_id, user_id):
            if connection.socket_id != except_id:
                connection.deliver(broadcast)

    def connections(self) -> Iterator[Connection]:
        """Yield every connection; the table must not change meanwhile."""
        for routes in self._apps.values():
            yield from routes.connections.values()

    def app_ids(self) -> list[str]:
        """Return the ids of the apps that have connections."""
        return list(self._apps)

    def connection_count(self, app_id: str) -> int:
        """Return how many connections an app has."""
        routes = self._apps.get(app_id)
        return 0 if routes is None else len(routes.connections)

    def channel(self, app_id: str, name: str) -> Channel | None:
        """Return a channel that has subscribers, or None."""
        routes = self._apps.get(app_id)
        return None if routes is None else routes.channels.get(name)

    def channels(self, app_id: str) -> Collection[Channel]:
        """Return every channel of an app that has subscribers."""
        routes = self._apps.get(app_id)
        return () if routes is None else routes.channels.values()

    def online_users(self, app_id: str) -> Iterable[str]:
        """Return the ids of the users that are signed in."""
        routes = self._apps.get(app_id)
        return () if routes is None else routes.users

    def is_online(self, app_id: str, user_id: str) -> bool:
        """Return whether a user is signed in on any connection."""
        routes = self._apps.get(app_id)
        return routes is not None and user_id in routes.users

    def user_connections(self, app_id: str, user_id: str) -> Collection[Connection]:
        """Return the connections signed in as a user."""
        routes = self._apps.get(app_id)
        return () if routes is None else routes.users.connections(user_id)


def is_quick_to_remove(connection: Connection) -> bool:
    """Tell whether a connection leaves with at most one change, of which no other client is told at once.

    It is not signed in, and on one channel at most, on which nobody is a member.
    """
    # hot path
    if connection.user is not None:
        return False
    subscriptions = connection.subscriptions
    if not subscriptions:
        return True
    return len(subscriptions) == 1 and next(iter(subscriptions.values())) is None


def _leave(routes: AppRoutes, channel: Channel, connection: Connection, user_id: str | None) -> Left:
    """Take a connection off a channel: the one way out, whatever the cause."""
    channel.remove(connection)
    totals, label = routes.totals, channel.kind.label
    totals.unsubscriptions[label] += 1
    member_removed = None
    if user_id is not None and channel.members is not None and channel.members.leave(user_id):
        member_removed = user_id
    last_here = not channel.count
    if last_here:
        del routes.channels[channel.name]
        totals.channels[label] -= 1
    return Left(channel, last_here, member_removed)
