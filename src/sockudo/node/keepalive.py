"""Liveness: asks silent clients for a sign of life, ends those that give none, and those that stay unauthorised.

One timing wheel and one timer serve all connections. Any inbound byte counts as life: some client libraries never
answer a JSON ping, and all answer a WebSocket PING.

Source: Pusher docs, `library_auth_reference/pusher-websockets-protocol` ("Ping and pong messages").
"""

from __future__ import annotations

from collections.abc import Callable

from sockudo.clock import Clock
from sockudo.expiry import Expiry
from sockudo.hub.connection import Connection
from sockudo.node.limits import NodeLimits
from sockudo.pusher.codes import Code
from sockudo.pusher.errors import CloseConnection


class Keepalive(Expiry[Connection]):
    """Looks at each connection when its next deadline has come."""

    def __init__(self, limits: NodeLimits, clock: Clock, fail: Callable[[Connection, CloseConnection], None]) -> None:
        super().__init__(clock)
        self._limits = limits
        self._fail = fail

    def add(self, connection: Connection) -> None:
        """Watch over a new connection."""
        self._schedule(connection)

    def discard(self, connection: Connection) -> None:
        """Forget a connection."""
        self._deadlines.discard(connection)

    def came_due(self, item: Connection) -> None:
        """Look at a connection whose deadline has come."""
        if item.is_open:
            self._look(item)

    def _look(self, connection: Connection) -> None:
        now, limits = self.now, self._limits
        if connection.pinged_at and connection.last_activity >= connection.pinged_at:
            connection.pinged_at = 0
        if connection.pinged_at and now >= connection.pinged_at + limits.pong_timeout:
            self._fail(connection, CloseConnection(Code.PONG_NOT_RECEIVED, "Pong reply not received in time"))
            return
        if now >= self._unauthorised_until(connection):
            self._fail(connection, _unauthorised(limits.user_authentication_timeout))
            return
        if not connection.pinged_at and now >= connection.last_activity + limits.activity_timeout:
            connection.pinged_at = now
            connection.wire.ping()
        self._schedule(connection)

    def _schedule(self, connection: Connection) -> None:
        if connection.pinged_at:
            # With a short activity timeout it may have answered and be silent again before the answer was due.
            at = min(connection.pinged_at + self._limits.pong_timeout, self.now + self._limits.activity_timeout)
        else:
            at = connection.last_activity + self._limits.activity_timeout
        self._deadlines.schedule(connection, int(min(at, self._unauthorised_until(connection))))

    def _unauthorised_until(self, connection: Connection) -> float:
        timeout = self._limits.user_authentication_timeout
        if connection.authorised or not timeout or not connection.app.enable_user_authentication:
            return float("inf")
        return connection.opened_at + timeout


def _unauthorised(timeout: int) -> CloseConnection:
    return CloseConnection(
        Code.UNAUTHORIZED,
        f"Connection not authorized within timeout: sign in or join a private channel within {timeout} s "
        "(user_authentication_timeout)",
    )
