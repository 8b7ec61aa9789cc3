"""Tells signed-in users when users on their watchlists come online or go offline.

Source: Pusher docs, `using_channels/watchlist-events`.
"""

from __future__ import annotations

from sockudo.hub.broadcast import Broadcast
from sockudo.hub.connection import Connection
from sockudo.hub.outbox import Flusher
from sockudo.node.view import View
from sockudo.pusher.events import watchlist_events
from sockudo.websocket.frames import text_frame


class Watchlist:
    """Watchers of each user, by app. A connection is a watcher from its sign-in to its end."""

    def __init__(self, view: View, flusher: Flusher) -> None:
        self._view = view
        self._flusher = flusher
        self._watchers: dict[tuple[str, str], dict[Connection, None]] = {}

    def watch(self, connection: Connection) -> None:
        """Tell a connection that has just signed in how the users it watches are, and that it will hear of changes."""
        app, user = connection.app, connection.user
        if user is None or not user.watchlist or not app.enable_watchlist_events:
            return
        states: dict[str, list[str]] = {"online": [], "offline": []}
        for user_id in dict.fromkeys(user.watchlist):
            self._watchers.setdefault((app.id, user_id), {})[connection] = None
            states["online" if self._view.is_online(app.id, user_id) else "offline"].append(user_id)
        connection.send(text_frame(watchlist_events(states)))

    def unwatch(self, connection: Connection) -> None:
        """Forget a connection."""
        user = connection.user
        if user is None:
            return
        for user_id in user.watchlist:
            key = (connection.app.id, user_id)
            watchers = self._watchers.get(key)
            if watchers is not None:
                watchers.pop(connection, None)
                if not watchers:
                    del self._watchers[key]

    def came_online(self, app_id: str, user_id: str) -> None:
        """Tell the watchers of a user who has signed in on a first connection."""
        self._send_state(app_id, user_id, "online")

    def went_offline(self, app_id: str, user_id: str) -> None:
        """Tell the watchers of a user whose last connection is gone."""
        self._send_state(app_id, user_id, "offline")

    def _send_state(self, app_id: str, user_id: str, state: str) -> None:
        watchers = self._watchers.get((app_id, user_id))
        if not watchers:
            return
        broadcast = Broadcast(text_frame(watchlist_events({state: [user_id]})))
        for connection in watchers:
            connection.deliver(broadcast)
        self._flusher.wake()
