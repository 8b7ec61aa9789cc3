"""One connection of a client: its identity, its channels, and its outbox.

`Wire` hides how bytes reach the client, so that the hub does not depend on WebSockets.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Protocol

from sockudo.apps.app import App
from sockudo.hub.broadcast import Broadcast, Encoding
from sockudo.hub.outbox import Flusher, Outbox
from sockudo.hub.totals import UNCOUNTED, AppTotals
from sockudo.pusher.members import Identity

# This many unreadable messages within this many seconds are a flood.
MAX_UNREADABLE: Final = 50
UNREADABLE_SECONDS: Final = 10.0


class Wire(Protocol):
    """The transport to one client."""

    @property
    def encoding(self) -> Encoding | None:
        """The form of what is written; None where it is plain text frames."""

    def write(self, data: bytes) -> None:
        """Send frames, or take them into a bounded buffer; never wait."""

    def close(self, code: int, reason: str) -> None:
        """Tell the client that the connection ends and why, then end it; frames written before still go out."""

    def ping(self) -> None:
        """Send a ping."""

    def pause_reading(self) -> None:
        """Stop reading from the client."""

    def resume_reading(self) -> None:
        """Read from the client again."""


class Connection:
    """A connection that the server has accepted.

    Attributes:
        socket_id: `digits.digits`, unique in its app.
        write: the wire's `write`, bound once; a no-op after the end.
        encoding: the wire's.
        outbox: frames queued in this tick.
        subscriptions: name of each joined channel -> the user id of this connection there, or None if the channel
            has no members; None as a whole until the first subscription.
        user: the user that it is signed in as.
        authorised: it has signed in or joined a private or presence channel.
        last_activity: a time by which the last inbound bytes had come, on the monotonic clock.
        deadline: second of the timing wheel at which it is checked next, 0 when it is not on the wheel.
        pinged_at: when the ping without an answer was sent, or 0.
        opened_at: when it was accepted.
        backlog: messages that came while the session still handles an earlier one, or None while it handles none.
        is_open: false from the moment the server or the client ends it.
        totals: those of its app.
    """

    __slots__ = (
        "_event_count",
        "_event_second",
        "_flusher",
        "_unreadable",
        "app",
        "authorised",
        "backlog",
        "deadline",
        "encoding",
        "is_open",
        "last_activity",
        "opened_at",
        "outbox",
        "pinged_at",
        "protocol_version",
        "socket_id",
        "subscriptions",
        "totals",
        "user",
        "wire",
        "write",
    )

    def __init__(self, socket_id: str, app: App, wire: Wire, flusher: Flusher, *, now: float, version: int) -> None:
        self.socket_id = socket_id
        self.app = app
        self.wire = wire
        self.write = wire.write
        self.encoding = wire.encoding
        self._flusher = flusher
        self.outbox: Outbox = None
        self.protocol_version = version
        self.subscriptions: dict[str, str | None] | None = None
        self.user: Identity | None = None
        self.authorised = False
        self.last_activity = now
        self.opened_at = now
        self.deadline = 0
        self.pinged_at = 0.0
        self.is_open = True
        # Its hub has those of the app.
        self.totals: AppTotals = UNCOUNTED
        self.backlog: deque[bytes] | None = None
        self._event_second = 0.0
        self._event_count = 0
        # When the last unreadable messages came; None until the first.
        self._unreadable: deque[float] | None = None

    def queue(self, frame: bytes) -> None:
        """Add a frame to the outbox. The caller wakes the flusher, once for all connections."""
        # hot path
        outbox = self.outbox
        if outbox is None:
            self.outbox = frame
            self._flusher.mark(self)
        elif isinstance(outbox, list):
            outbox.append(frame)
        else:
            self.outbox = [outbox, frame]

    def send(self, frame: bytes) -> None:
        """Send one text frame at the end of this tick, after what was queued before it."""
        self._send(frame if self.encoding is None else self.encoding.encode(Broadcast(frame)))

    def deliver(self, broadcast: Broadcast) -> None:
        """Send what others get, too, as `send` does."""
        self._send(broadcast.text if self.encoding is None else broadcast.frame(self.encoding))

    def _send(self, frame: bytes) -> None:
        totals = self.totals
        totals.messages_sent += 1
        totals.bytes_sent += len(frame)
        self.queue(frame)
        self._flusher.wake()

    def flush(self) -> None:
        """Write the outbox, with one call."""
        # hot path
        outbox = self.outbox
        if outbox is None:
            return
        self.outbox = None
        self.write(outbox if isinstance(outbox, bytes) else b"".join(outbox))

    def take_client_event(self, now: float) -> bool:
        """Return whether this connection may send one more client event in the current second (monotonic `now`)."""
        limit = self.app.max_client_events_per_second
        if now - self._event_second >= 1.0:
            self._event_second = now
            self._event_count = 0
        if limit and self._event_count >= limit:
            return False
        self._event_count += 1
        return True

    def sends_noise(self, now: float) -> bool:
        """Note an unreadable message (monotonic `now`); return whether there were too many of them lately."""
        times = self._unreadable
        if times is None:
            times = self._unreadable = deque(maxlen=MAX_UNREADABLE)
        times.append(now)
        return len(times) == MAX_UNREADABLE and now - times[0] <= UNREADABLE_SECONDS

    def end(self) -> None:
        """Stop sending: drop queued frames and all later ones."""
        self.is_open = False
        self.outbox = None
        self.write = _discard


def _discard(data: bytes) -> None:
    """Replace `write` on a connection that has ended."""
