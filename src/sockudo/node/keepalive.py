"""Pings silent clients, and closes those that do not answer or do not authorise in time.

One timing wheel and one timer serve all connections. Any inbound byte counts as life: some client libraries never
answer a JSON ping, and all answer a WebSocket PING.

Source: Pusher docs, `library_auth_reference/pusher-websockets-protocol` ("Ping and pong messages").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from sockudo.hub.connection import Connection
from sockudo.node.limits import NodeLimits
from sockudo.pusher.codes import Code
from sockudo.pusher.errors import CloseConnection
from sockudo.timing.clock import Clock
from sockudo.timing.deadlines import Deadlines
from sockudo.timing.slices import Slices
from sockudo.timing.ticker import TICK, Ticker

# A tick is never quite in time, and only one that comes later than that is an exception.
_SLACK: Final = 0.05
# How many are taken off the wheel in one go.
_PART: Final = 64


class Keepalive(Ticker):
    """Looks at each connection when its next deadline has come.

    Attributes:
        heard_by: by when (on the monotonic clock) bytes that come now have come, at the latest. Renewed once a second,
            so that noting a sign of life costs one attribute.
    """

    def __init__(
        self, limits: NodeLimits, clock: Clock, fail: Callable[[Connection, CloseConnection], None], slices: Slices
    ) -> None:
        super().__init__(clock)
        self._limits = limits
        self._fail = fail
        self._slices = slices
        self._deadlines: Deadlines[Connection] = Deadlines(self.now)
        self.heard_by = clock.monotonic() + TICK + _SLACK
        # What `heard_by` was while a tick came late -> when that tick came, oldest first.
        self._late: dict[float, float] = {}
        # Forgets a connection.
        self.discard: Callable[[Connection], None] = self._deadlines.discard

    def start(self) -> None:
        """Begin to tick."""
        super().start()
        self.heard_by = self._clock.monotonic() + TICK + _SLACK

    def add(self, connection: Connection) -> None:
        """Watch over a new connection, which has been heard just now."""
        # hot path
        at = connection.last_activity + self._limits.activity_timeout
        if self._limits.user_authentication_timeout and connection.app.enable_user_authentication:
            at = min(at, self._unauthorised_until(connection))
        self._deadlines.add(connection, int(at))

    def second_passed(self) -> None:
        """Look at those whose deadline has come."""
        now = self._clock.monotonic()
        is_late = now > self.heard_by
        if is_late:
            self._late[self.heard_by] = now
        while self._late and next(iter(self._late.values())) < now - self._limits.activity_timeout - 2 * TICK:
            del self._late[next(iter(self._late))]
        self.heard_by = now + TICK + _SLACK
        if is_late:
            # What has come while the loop was held is read first: a tick later, and after what that tick has begun.
            self._clock.call_soon(lambda: self._clock.call_soon(self._look_at_due))
        else:
            self._look_at_due()

    def _look_at_due(self) -> None:
        self._slices.in_order(self._look_at_all())

    def _look_at_all(self) -> Iterator[None]:
        while due := self._deadlines.due(self.now, _PART):
            for connection in due:
                if connection.is_open:
                    self._check_silence(connection)
                yield

    def _check_silence(self, connection: Connection) -> None:
        now, limits = self._clock.monotonic(), self._limits
        if connection.pinged_at and connection.last_activity >= connection.pinged_at:
            connection.pinged_at = 0.0
        if connection.pinged_at and now >= connection.pinged_at + limits.pong_timeout:
            self._fail(connection, CloseConnection(Code.PONG_NOT_RECEIVED, "Pong reply not received in time"))
            return
        if now >= self._unauthorised_until(connection):
            self._fail(connection, _unauthorised(limits.user_authentication_timeout))
            return
        if not connection.pinged_at and now >= self._silent_since(connection) + limits.activity_timeout:
            connection.pinged_at = now
            connection.wire.ping()
        if connection.is_open:
            self._schedule(connection)

    def _silent_since(self, connection: Connection) -> float:
        """Return by when the last bytes of a connection had come, also where the tick after them was late."""
        return self._late.get(connection.last_activity, connection.last_activity)

    def _schedule(self, connection: Connection) -> None:
        if connection.pinged_at:
            # With a short activity timeout it may have answered and be silent again before the answer was due.
            at = min(connection.pinged_at + self._limits.pong_timeout, self.now + self._limits.activity_timeout)
        else:
            at = self._silent_since(connection) + self._limits.activity_timeout
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
