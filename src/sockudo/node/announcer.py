"""Turns the changes of a hub step into frames for clients and messages for other nodes."""

from __future__ import annotations

from collections.abc import Iterator

from sockudo.apps.base import AppManager
from sockudo.cluster.peers import Peers
from sockudo.hub.broadcast import Broadcast
from sockudo.hub.changes import Joined, Left, Offline
from sockudo.hub.channel import Channel
from sockudo.hub.connection import Connection
from sockudo.hub.hub import Hub
from sockudo.node.subscription_counts import SubscriptionCounts
from sockudo.node.view import View
from sockudo.node.watchlist import Watchlist
from sockudo.pusher.channels import server_to_user
from sockudo.pusher.events import member_added, member_removed
from sockudo.pusher.members import Identity
from sockudo.webhooks.base import WebhookEvents
from sockudo.websocket.frames import text_frame


class Announcer:
    """Turns `Joined`, `Left` and `Offline` into what others hear.

    A member is news only if no other node has it too: each node tells its own clients when the merged view of the
    cluster goes from nobody to somebody and back.
    """

    def __init__(
        self,
        hub: Hub,
        apps: AppManager,
        peers: Peers,
        counts: SubscriptionCounts,
        watchlist: Watchlist,
        view: View,
        webhooks: WebhookEvents,
    ) -> None:
        self._hub = hub
        self._apps = apps
        self._peers = peers
        self._journal = peers.journal
        self._replica = peers.replica
        self._counts = counts
        self._watchlist = watchlist
        self._view = view
        self._webhooks = webhooks

    def joined(self, connection: Connection, joined: Joined, identity: Identity | None) -> None:
        """Tell the others of a new member, and everybody the new count."""
        channel, app_id = joined.channel, connection.app.id
        user_id = joined.member_added
        if user_id is not None and identity is not None:
            self._journal.member_changed(app_id, channel.name, user_id, identity.user_info)
            if not self._replica.has_member(app_id, channel.name, user_id):
                payload = member_added(channel.name, user_id, identity.user_info)
                channel.broadcast(Broadcast(text_frame(payload)), connection)
                self._hub.flusher.wake()
        else:
            self._journal.channel_changed(app_id, channel.name)
        if connection.app.enable_subscription_count:
            self._counts.changed(connection.app, channel)
        if self._webhooks.is_on:
            self._report_joined(app_id, joined)

    def left(self, connection: Connection, left: Left) -> None:
        """Tell those who stay of a member who is gone, and of the new count."""
        channel, app_id = left.channel, connection.app.id
        user_id = left.member_removed
        if self._webhooks.is_on:
            self._report_left(app_id, left)
        if user_id is not None:
            self._journal.member_changed(app_id, channel.name, user_id, None)
        else:
            self._journal.channel_changed(app_id, channel.name)
        if left.last_here:
            self._peers.release(app_id, channel.name)
            return
        if user_id is not None and not self._replica.has_member(app_id, channel.name, user_id):
            channel.broadcast(Broadcast(text_frame(member_removed(channel.name, user_id))))
            self._hub.flusher.wake()
        if connection.app.enable_subscription_count:
            self._counts.changed(connection.app, channel)

    def departing(self, connection: Connection, changes: Iterator[Left | Offline]) -> Iterator[None]:
        """Tell the others that a connection is gone from everywhere it was, one change a step."""
        self._watchlist.unwatch(connection)
        for change in changes:
            if isinstance(change, Left):
                self.left(connection, change)
            else:
                self._went_offline(connection.app.id, change.user_id)
            yield

    def _went_offline(self, app_id: str, user_id: str) -> None:
        self._journal.user_changed(app_id, user_id, online=False)
        self._peers.release(app_id, server_to_user(user_id))
        if not self._replica.is_online(app_id, user_id):
            self._watchlist.went_offline(app_id, user_id)

    def signed_in(self, connection: Connection, user_id: str) -> None:
        """Tell the others that a user has signed in on a first connection here."""
        app_id = connection.app.id
        self._journal.user_changed(app_id, user_id, online=True)
        if not self._replica.is_online(app_id, user_id):
            self._watchlist.came_online(app_id, user_id)

    def count_changed(self, app_id: str, channel: Channel) -> None:
        """Tell the subscribers here of a new count that other nodes have brought about."""
        app = self._apps.known(app_id)
        if app is not None:
            self._counts.changed(app, channel)

    # What webhooks tell: of the merged view, in the order in which a receiver can follow it.

    def _report_joined(self, app_id: str, joined: Joined) -> None:
        name, replica, webhooks = joined.channel.name, self._replica, self._webhooks
        if joined.first_here and replica.channel(app_id, name) is None:
            webhooks.channel_occupied(app_id, name)
        if joined.channel.members is None:
            webhooks.subscription_count(app_id, name, self._view.subscription_count(app_id, name))
        elif joined.member_added is not None and not replica.has_member(app_id, name, joined.member_added):
            webhooks.member_added(app_id, name, joined.member_added)

    def _report_left(self, app_id: str, left: Left) -> None:
        name, replica, webhooks = left.channel.name, self._replica, self._webhooks
        if left.channel.members is None:
            webhooks.subscription_count(app_id, name, self._view.subscription_count(app_id, name))
        elif left.member_removed is not None and not replica.has_member(app_id, name, left.member_removed):
            webhooks.member_removed(app_id, name, left.member_removed)
        if left.last_here and replica.channel(app_id, name) is None:
            webhooks.channel_vacated(app_id, name)
