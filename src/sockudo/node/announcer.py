"""Tells clients what a step of the hub changed: the one place where changes become frames."""

from __future__ import annotations

from sockudo.apps.app import App
from sockudo.hub.changes import Departure, Joined, Left
from sockudo.hub.connection import Connection
from sockudo.hub.hub import Hub
from sockudo.node.subscription_counts import SubscriptionCounts
from sockudo.node.watchlist import Watchlist
from sockudo.pusher.events import member_added, member_removed
from sockudo.pusher.members import Identity
from sockudo.rfc6455.frames import text_frame


class Announcer:
    """Turns `Joined`, `Left` and `Departure` into what the other clients hear."""

    def __init__(self, hub: Hub, counts: SubscriptionCounts, watchlist: Watchlist) -> None:
        self._hub = hub
        self._counts = counts
        self._watchlist = watchlist

    def joined(self, connection: Connection, joined: Joined, identity: Identity | None) -> None:
        """Tell the others of a new member, and everybody the new count."""
        channel = joined.channel
        if joined.member_added is not None and identity is not None:
            frame = text_frame(member_added(channel.name, identity.user_id, identity.user_info))
            channel.broadcast(frame, connection)
            self._hub.flusher.wake()
        self._counts.changed(connection.app, channel)

    def left(self, app: App, left: Left) -> None:
        """Tell those who stay of a member who is gone, and of the new count."""
        if left.last_here:
            return
        channel = left.channel
        if left.member_removed is not None:
            channel.broadcast(text_frame(member_removed(channel.name, left.member_removed)))
            self._hub.flusher.wake()
        self._counts.changed(app, channel)

    def departed(self, connection: Connection, departure: Departure) -> None:
        """Tell the others that a connection is gone from everywhere it was."""
        for left in departure.left:
            self.left(connection.app, left)
        self._watchlist.unwatch(connection)
        if departure.user_gone is not None:
            self._watchlist.went_offline(connection.app, departure.user_gone)
