"""The subscribe, unsubscribe and sign-in use cases: who may join what, and what the client is told.

Source: Pusher docs, `library_auth_reference/pusher-websockets-protocol`, `using_channels/presence-channels`,
`using_channels/user-authentication`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final, NamedTuple

from sockudo.apps.app import App
from sockudo.eventual import Future
from sockudo.hub.connection import Connection
from sockudo.node.cached_events import CachedEvents
from sockudo.node.current_app import AppGone, current_app
from sockudo.node.node import Node
from sockudo.pusher import events
from sockudo.pusher.channels import ChannelKind, InvalidChannelName, parse_channel, server_to_user
from sockudo.pusher.codes import Code
from sockudo.pusher.commands import Signin, Subscribe, Unsubscribe
from sockudo.pusher.errors import CloseConnection, CommandRejected, SubscriptionRejected
from sockudo.pusher.members import (
    MAX_WATCHLIST,
    Identity,
    InvalidIdentity,
    is_json_object,
    parse_channel_data,
    parse_user_data,
    with_text_id,
)
from sockudo.pusher.signatures import channel_string, is_authorised, user_string
from sockudo.websocket.frames import text_frame


class Stage(IntEnum):
    """What a command has waited for already.

    A command that has to wait stops before it has changed anything. After the wait, the whole command runs again from
    its first line with the next stage, which only tells it not to wait for the same thing once more. Meanwhile the
    app, the channel or the limits may have changed, so every check is made again too.
    """

    NEW = 0
    APP_KNOWN = 1
    CAUGHT_UP = 2


# By themselves: each look into the class of an enumeration costs 0.07 us.
_APP_KNOWN: Final = Stage.APP_KNOWN
_CAUGHT_UP: Final = Stage.CAUGHT_UP


class Wait(NamedTuple):
    """What a command has to wait for before anything of it is done.

    Attributes:
        done: done when it need not wait any more, whether it fails or not.
        stage: what the command has waited for then. The whole command runs again with this stage.
    """

    done: Future[Any]
    stage: Stage


class Subscriptions:
    """Lets connections join and leave channels, and say who they are."""

    def __init__(self, node: Node, cached_events: CachedEvents) -> None:
        self._node = node
        self._cached_events = cached_events

    def subscribe(self, connection: Connection, command: Subscribe, stage: Stage = Stage.NEW) -> Wait | None:
        """Join a channel and send what a new subscriber gets, in order: success, cached event, count.

        It has to wait where the app must be looked up, the channel's events do not arrive at this node yet, those of
        other nodes from before may still do, or its last event is in a store. Otherwise an event could be missed right
        after success, or be heard that was published before.

        Raises:
            SubscriptionRejected: the channel is not open to this connection; nothing has changed.
        """
        name = command.channel
        try:
            app = current_app(self._node.apps, connection, has_waited=stage >= _APP_KNOWN)
        except AppGone as gone:
            raise SubscriptionRejected(name[:200], "AppError", str(gone), gone.code) from None
        if isinstance(app, Future):
            return Wait(app, Stage.APP_KNOWN)
        try:
            kind = parse_channel(name, app.publishing.max_channel_name_length)
        except InvalidChannelName as problem:
            raise SubscriptionRejected(name[:200], "InvalidChannel", str(problem), 400) from None
        if kind.user:
            self._join_own_user_channel(connection, name)
            return None
        if connection.subscriptions is not None:
            self._check_channel_count(connection, name)
        if kind.private:
            _verify(connection, command, kind)
        identity = self._identity(connection, command) if kind.presence else None
        waiting = self._arriving(app.id, name, kind, stage)
        if waiting is not None:
            return waiting
        joined = self._node.hub.subscribe(connection, name, kind, identity)
        if kind.private:
            connection.authorised = True
        self._send_success(connection, name, kind)
        if joined is not None:
            self._node.announcer.joined(connection, joined, identity)
        return None

    def unsubscribe(self, connection: Connection, command: Unsubscribe) -> None:
        """Leave a channel; nothing happens where the connection is not on it."""
        left = self._node.hub.unsubscribe(connection, command.channel)
        if left is not None:
            self._node.announcer.left(connection, left)

    def sign_in(self, connection: Connection, command: Signin, stage: Stage = Stage.NEW) -> Wait | None:
        """Tie a connection to a user; it may have to wait as `subscribe` does.

        Raises:
            CommandRejected: the app has no user authentication, or the connection is somebody else already.
            CloseConnection: 4009, the signature or the user data is not valid.
        """
        try:
            app = current_app(self._node.apps, connection, has_waited=stage >= _APP_KNOWN)
        except AppGone as gone:
            raise CommandRejected(str(gone)) from None
        if isinstance(app, Future):
            return Wait(app, Stage.APP_KNOWN)
        if not app.enable_user_authentication:
            raise CommandRejected(
                "User authentication is disabled for this app (enable_user_authentication of the app)",
                Code.UNAUTHORIZED,
            )
        user, user_data = _signed_user(connection, command)
        previous = connection.user
        if previous is not None and previous.user_id != user.user_id:
            raise CommandRejected("Connection is already signed in as another user", Code.UNAUTHORIZED)
        own_channel = server_to_user(user.user_id)
        arriving = self._node.peers.join(app.id, own_channel, has_caught_up=stage >= _CAUGHT_UP)
        if arriving is not None:
            return Wait(arriving, Stage.CAUGHT_UP)
        if len(user.watchlist) > MAX_WATCHLIST:
            if app.enable_watchlist_events:
                connection.send(text_frame(events.error(_WATCHLIST_TOO_LONG, Code.WATCHLIST_TOO_LONG)))
            user = user._replace(watchlist=user.watchlist[:MAX_WATCHLIST])
        watchlist = self._node.watchlist
        watchlist.unwatch(connection)
        came_online = self._node.hub.sign_in(connection, user)
        connection.authorised = True
        # Before it is a watcher itself: who watches himself is told once, with all others.
        if came_online and previous is None:
            self._node.announcer.signed_in(connection, user.user_id)
        watchlist.watch(connection)
        connection.send(text_frame(events.signin_success(user_data)))
        return None

    def _arriving(self, app_id: str, name: str, kind: ChannelKind, stage: Stage) -> Wait | None:
        is_kept = kind.cache and not self._cached_events.is_shared
        has_caught_up = stage >= _CAUGHT_UP
        arriving = self._node.peers.join(app_id, name, is_kept=is_kept, has_caught_up=has_caught_up)
        if arriving is None and kind.cache:
            arriving = self._cached_events.prepare(app_id, name)
        return None if arriving is None else Wait(arriving, Stage.CAUGHT_UP)

    def _join_own_user_channel(self, connection: Connection, name: str) -> None:
        # Nobody is put on such a channel: its events reach the connections signed in as the user.
        if not self._node.is_user_channel_of(connection, name):
            text = "Only a connection signed in as the user may subscribe to a server-to-user channel"
            raise SubscriptionRejected(name, "AuthError", text, 401)
        connection.send(text_frame(events.subscription_succeeded(name)))

    def _identity(self, connection: Connection, command: Subscribe) -> Identity:
        """Return the member that a signed subscription to a presence channel brings."""
        name, app = command.channel, connection.app
        if command.channel_data is None:
            if connection.user is None:
                text = "Missing channel_data for presence channel: send it, or sign in before"
                raise SubscriptionRejected(name, "InvalidMessage", text, 400)
            identity = connection.user
        else:
            try:
                identity = parse_channel_data(command.channel_data)
            except InvalidIdentity as problem:
                raise SubscriptionRejected(name, "InvalidMessage", str(problem), 400) from None
        if len(identity.user_info) > app.max_presence_member_bytes:
            raise SubscriptionRejected(
                name,
                "InvalidMessage",
                f"Presence member data of {len(identity.user_info)} bytes exceeds the limit of "
                f"{app.max_presence_member_bytes} bytes (max_presence_member_size_in_kb of the app, "
                "or presence.max_member_size_in_kb)",
                400,
            )
        self._check_capacity(app, name, identity.user_id)
        return identity

    def _check_channel_count(self, connection: Connection, name: str) -> None:
        limit, joined = self._node.limits.max_channels_per_connection, connection.subscriptions
        if limit and joined and len(joined) >= limit and name not in joined:
            raise SubscriptionRejected(
                name,
                "LimitReached",
                f"Too many channels: the limit is {limit} at a time on one connection "
                "(channel_limits.max_channels_per_connection)",
                4004,
            )

    def _check_capacity(self, app: App, name: str, user_id: str) -> None:
        view = self._node.view
        if view.has_member(app.id, name, user_id):
            return
        if view.member_count(app.id, name) >= app.max_presence_members:
            raise SubscriptionRejected(
                name,
                "LimitReached",
                f"Presence channel is full: the limit is {app.max_presence_members} members "
                "(max_presence_members_per_channel of the app, or presence.max_members_per_channel)",
                4004,
            )

    def _send_success(self, connection: Connection, name: str, kind: ChannelKind) -> None:
        app_id = connection.app.id
        if kind.presence:
            payload = events.presence_succeeded(name, self._node.view.roster(app_id, name))
        else:
            payload = events.subscription_succeeded(name)
        connection.send(text_frame(payload))
        if kind.cache:
            cached = self._cached_events.recall(app_id, name)
            connection.send(text_frame(events.cache_miss(name) if cached is None else cached.payload))
            if cached is None and connection.app.webhooks:
                self._node.webhooks.cache_miss(connection.app, name)


_DATA_NO_OBJECT = "Invalid channel_data: it must be a JSON object on this channel, beginning with {, or be left out"
_WATCHLIST_TOO_LONG = f"Watchlist limit exceeded. Only the first {MAX_WATCHLIST} user IDs are accepted."


def _verify(connection: Connection, command: Subscribe, kind: ChannelKind) -> None:
    name, app = command.channel, connection.app
    if not command.auth:
        raise SubscriptionRejected(name, "AuthError", "Authentication signature required for this channel", 401)
    # Presence channels check what the data says, after the signature.
    if command.channel_data is not None and not kind.presence and not is_json_object(command.channel_data):
        raise SubscriptionRejected(name, "InvalidMessage", _DATA_NO_OBJECT, 400)
    message = channel_string(connection.socket_id, name, command.channel_data)
    if not is_authorised(app.signer, app.key, command.auth, message):
        text = "Invalid signature: auth must be KEY:SIGNATURE, made with this app's key and secret for this socket_id"
        raise SubscriptionRejected(name, "AuthError", text, 401).about_signature(message)


def _signed_user(connection: Connection, command: Signin) -> tuple[Identity, str]:
    """Return who a signed-in connection is, and the user data as the client is told of it."""
    app = connection.app
    message = user_string(connection.socket_id, command.user_data)
    if not is_authorised(app.signer, app.key, command.auth, message):
        text = "Connection not authorized for signin: invalid signature"
        raise CloseConnection(Code.UNAUTHORIZED, text).about_signature(message)
    try:
        return parse_user_data(command.user_data), with_text_id(command.user_data)
    except InvalidIdentity as problem:
        raise CloseConnection(Code.UNAUTHORIZED, str(problem)) from None
