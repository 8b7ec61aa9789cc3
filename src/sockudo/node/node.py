"""Connects and disconnects clients of this node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from sockudo.apps.app import App
from sockudo.apps.base import AppManager
from sockudo.cluster.peers import Peers
from sockudo.hub.capacity import Capacity
from sockudo.hub.changes import Left, Offline
from sockudo.hub.connection import Connection, Wire
from sockudo.hub.hub import Hub, is_quick_to_remove
from sockudo.node.announcer import Announcer
from sockudo.node.connection_errors import count_refusal
from sockudo.node.keepalive import Keepalive
from sockudo.node.limits import NodeLimits
from sockudo.node.memory import MemoryGauge
from sockudo.node.quotas import AppQuotas
from sockudo.node.refusal_log import RefusalLog
from sockudo.node.socket_ids import new_socket_id
from sockudo.node.subscription_counts import SubscriptionCounts
from sockudo.node.view import View
from sockudo.node.watchlist import Watchlist
from sockudo.pusher.channels import server_to_user
from sockudo.pusher.codes import Code
from sockudo.pusher.errors import CloseConnection
from sockudo.pusher.events import connection_established, error
from sockudo.pusher.versions import parse_version
from sockudo.timing.clock import Clock
from sockudo.timing.slices import Slices
from sockudo.webhooks.base import NoWebhooks, WebhookEvents
from sockudo.websocket.frames import text_frame


class Opening(NamedTuple):
    """What a client says when it connects.

    Attributes:
        app: the app whose key is in the URL; None where there is none, and the reason where it cannot be found now.
        protocol: the `protocol` parameter of the URL, or None.
        origin: the `Origin` header, or None.
        path: of the URL, for the log.
        ids: returns the ids of the upgrade request, for the log.
    """

    app: App | CloseConnection | None
    protocol: str | None = None
    origin: str | None = None
    path: str | None = None
    ids: Callable[[], Mapping[str, str]] = dict


# The longest time that a connection on one channel needs to leave, where no other client and no back end is told: alone
# it is 1.2 us, and 5 in a busy server.
_LEAVE_SECONDS: Final = 0.000005


@dataclass(slots=True)
class NodeCounters:
    """Totals since the start."""

    connections: int = 0
    disconnections: int = 0
    refused: int = 0
    slow_consumers: int = 0


class Node:
    """Accepts, ends and forgets connections. Everything that happens to one goes through here.

    Attributes:
        is_leaving: whether the node is about to leave: probes say so, and everybody is still served.
        is_draining: whether the node leaves and accepts nobody.
    """

    def __init__(
        self,
        hub: Hub,
        apps: AppManager,
        peers: Peers,
        limits: NodeLimits,
        clock: Clock,
        memory: MemoryGauge,
        webhooks: WebhookEvents | None = None,
    ) -> None:
        self.hub = hub
        self.apps = apps
        self.peers = peers
        self.view = View(hub, peers.replica)
        self.limits = limits
        self.clock = clock
        self.counters = NodeCounters()
        self.is_leaving = False
        self.is_draining = False
        self.capacity = Capacity(limits.max_connections, self._open_count)
        self.watchlist = Watchlist(self.view, hub.flusher)
        counts = SubscriptionCounts(hub, self.view, clock)
        self.webhooks: WebhookEvents = webhooks or NoWebhooks()
        self.announcer = Announcer(hub, apps, peers, counts, self.watchlist, self.view, self.webhooks)
        self.slices = Slices(clock)
        self.keepalive = Keepalive(limits, clock, self.fail, self.slices)
        self.quotas = AppQuotas(clock, peers.journal)
        self.refusals = RefusalLog(clock)
        self._memory = memory

    def connect(self, opening: Opening, wire: Wire) -> Connection:
        """Accept a client. The first frame that it gets must be `greeting`, which its wire sends.

        Raises:
            CloseConnection: it is refused; nothing is left of it.
        """
        try:
            version = parse_version(opening.protocol)
            app = self._admit(opening)
        except CloseConnection as refused:
            self.counters.refused += 1
            count_refusal(self.hub.totals, opening.app, refused)
            raise
        socket_id = new_socket_id()
        now = self.clock.monotonic()
        connection = Connection(socket_id, app, wire, self.hub.flusher, now=now, version=version)
        self.hub.add(connection)
        self.keepalive.add(connection)
        self.peers.journal.connections_changed(app.id)
        self.counters.connections += 1
        if app.webhooks:
            self.webhooks.connection_established(app, socket_id)
        return connection

    def _open_count(self) -> int:
        return self.counters.connections - self.counters.disconnections

    def greeting(self, connection: Connection) -> bytes:
        """Return the frame that tells a client its socket id."""
        frame = text_frame(connection_established(connection.socket_id, self.limits.activity_timeout))
        connection.totals.messages_sent += 1
        connection.totals.bytes_sent += len(frame)
        return frame

    def _admit(self, opening: Opening) -> App:
        app = opening.app
        if app is None:
            raise CloseConnection(Code.APP_UNKNOWN, "Application does not exist: no app has this key")
        if isinstance(app, CloseConnection):
            raise app
        if not app.enabled:
            raise CloseConnection(Code.APP_DISABLED, "Application disabled")
        if app.origins is not None and not app.origins.allows(opening.origin):
            raise CloseConnection(Code.UNAUTHORIZED, "Origin not allowed (allowed_origins of the app)")
        if self.is_draining:
            raise shutting_down()
        if self._memory.is_over_threshold():
            raise CloseConnection(Code.OVER_CAPACITY, "Over capacity (http_api.accept_traffic.memory_threshold)")
        full = self.capacity.problem()
        if full:
            raise CloseConnection(Code.OVER_CAPACITY, f"Over capacity: {full}")
        if app.max_connections and self.view.connection_count(app.id) >= app.max_connections:
            raise CloseConnection(
                Code.OVER_QUOTA,
                f"Application is over connection quota: {app.max_connections} connections (max_connections of the app)",
            )
        return app

    def disconnect(self, connection: Connection) -> None:
        """Forget a connection, whatever ended it, and tell the others; safe to call again.

        Nothing is delivered to it any more. It leaves what it had joined in slices, where that is much.
        """
        # hot path
        if not connection.is_open:
            return
        connection.end()
        self.keepalive.discard(connection)
        self.counters.disconnections += 1
        if self._leaves_quickly(connection):
            left = self.hub.remove_at_once(connection)
            self.peers.journal.connections_changed(connection.app.id)
            if left is not None:
                self.announcer.left(connection, left)
        else:
            changes = self.hub.remove(connection)
            self.peers.journal.connections_changed(connection.app.id)
            self.slices.in_order(self._depart(connection, changes))

    def _leaves_quickly(self, connection: Connection) -> bool:
        """Tell whether to let a connection leave costs so little that no slice of time need be cut for it."""
        # hot path
        app = connection.app
        return (
            not (app.enable_subscription_count or app.webhooks or self.webhooks.is_on)
            and is_quick_to_remove(connection)
            and self.slices.may_skip_order(_LEAVE_SECONDS)
        )

    def _depart(self, connection: Connection, changes: Iterator[Left | Offline]) -> Iterator[None]:
        yield from self.announcer.departing(connection, changes)
        if connection.app.webhooks:
            self.webhooks.connection_terminated(connection.app, connection.socket_id)
        yield

    def disconnect_all(self) -> None:
        """Forget every connection, in slices."""
        self.slices.in_order(_each(tuple(self.hub.connections()), self.disconnect))

    def fail(self, connection: Connection, problem: CloseConnection) -> None:
        """End a connection: the error frame, a close frame with the same code and text, then the leave."""
        if not connection.is_open:
            return
        # Sent and not only queued, so that the flusher, too, lets go of the connection in this tick.
        connection.send(text_frame(error(problem.message, problem.code)))
        connection.flush()
        # The flush may have found the connection too slow, and ended it with that.
        if connection.is_open:
            connection.wire.close(problem.code, problem.message)
            self.disconnect(connection)
        self.refusals.note(
            "connection ended",
            problem.code,
            problem.message,
            app=connection.app.id,
            signed_text=problem.signed_text,
            socket_id=connection.socket_id,
        )

    def fail_all(self, connections: Iterable[Connection], problem: CloseConnection) -> None:
        """End connections, in slices where they are many."""
        self.slices.in_order(_each(connections, lambda connection: self.fail(connection, problem)))

    def drop_slow(self, connection: Connection) -> None:
        """End a connection that does not read what it is sent."""
        if not connection.is_open:
            return
        self.counters.slow_consumers += 1
        message = "Too many unsent bytes: the connection does not keep up (websocket.max_buffer_kb)"
        self.fail(connection, CloseConnection(Code.OVER_CAPACITY, message))
        self.refusals.note_dropped("slow consumer dropped", app=connection.app.id, socket_id=connection.socket_id)

    def terminate_user(self, app: App, user_id: str) -> None:
        """End every connection that is signed in as a user, or is that user on a presence channel, on every node."""
        self.peers.terminate(app.id, user_id)
        self.terminate_here(app.id, user_id)

    def terminate_here(self, app_id: str, user_id: str) -> None:
        """End the connections of a user that this node has, in slices where they or the channels are many."""
        problem = CloseConnection(Code.UNAUTHORIZED, "User terminated by app.")
        self.slices.in_order(self._end_user(app_id, user_id, problem))

    def reconnect_user(self, app: App, user_id: str) -> None:
        """End the same connections as `terminate_user`, on every node; their clients connect again at once."""
        self.peers.force_reconnect(app.id, user_id)
        self.reconnect_here(app.id, user_id)

    def reconnect_here(self, app_id: str, user_id: str) -> None:
        """End the connections of a user that this node has, so that the clients connect again."""
        problem = CloseConnection(Code.RECONNECT, "Force reconnect requested by the app.")
        self.slices.in_order(self._end_user(app_id, user_id, problem))

    def _end_user(self, app_id: str, user_id: str, problem: CloseConnection) -> Iterator[None]:
        for connection in tuple(self.hub.user_connections(app_id, user_id)):
            self.fail(connection, problem)
            yield
        for channel in tuple(self.hub.channels(app_id)):
            if channel.members is not None and user_id in channel.members:
                for one in channel.subscribers:
                    if one.subscriptions and one.subscriptions.get(channel.name) == user_id:
                        self.fail(one, problem)
                    yield
            yield

    def is_user_channel_of(self, connection: Connection, name: str) -> bool:
        """Tell whether `name` is the server-to-user channel of who the connection is signed in as."""
        return connection.user is not None and name == server_to_user(connection.user.user_id)


def _each(connections: Iterable[Connection], step: Callable[[Connection], None]) -> Iterator[None]:
    for connection in connections:
        step(connection)
        yield


def shutting_down() -> CloseConnection:
    """Return how a connection is ended when the node leaves."""
    return CloseConnection(Code.RECONNECT, "Server shutting down")
