"""One channel of one app: its subscribers on this node."""

from __future__ import annotations

from itertools import chain

from sockudo.hub.broadcast import Broadcast, Encoding
from sockudo.hub.connection import Connection
from sockudo.hub.members import Members
from sockudo.hub.totals import UNCOUNTED, AppTotals
from sockudo.pusher.channels import ChannelKind


class Channel:
    """The subscribers of a channel, and the members of a presence channel.

    Attributes:
        plain: the subscribers that negotiated no encoding. A dict for its order and for removal in constant time; the
            values are not used.
        encoded: the other subscribers, by their encoding; None while there are none.
        members: the users, on a presence channel; None elsewhere.
        totals: those of its app.
    """

    __slots__ = ("encoded", "kind", "members", "name", "plain", "totals")

    def __init__(self, name: str, kind: ChannelKind, totals: AppTotals = UNCOUNTED) -> None:
        self.name = name
        self.kind = kind
        self.totals = totals
        self.plain: dict[Connection, None] = {}
        self.encoded: dict[Encoding, dict[Connection, None]] | None = None
        self.members = Members() if kind.presence else None

    @property
    def count(self) -> int:
        """How many subscribers there are."""
        return len(self.plain) if self.encoded is None else len(self.plain) + sum(map(len, self.encoded.values()))

    @property
    def subscribers(self) -> tuple[Connection, ...]:
        """All subscribers, those without an encoding first."""
        return tuple(self.plain) if self.encoded is None else (*self.plain, *chain(*self.encoded.values()))

    def add(self, connection: Connection) -> None:
        """Take a subscriber."""
        encoding = connection.encoding
        if encoding is None:
            self.plain[connection] = None
        else:
            if self.encoded is None:
                self.encoded = {}
            self.encoded.setdefault(encoding, {})[connection] = None

    def remove(self, connection: Connection) -> None:
        """Let go of a subscriber."""
        encoding, groups = connection.encoding, self.encoded
        if encoding is None or groups is None:
            del self.plain[connection]
            return
        del groups[encoding][connection]
        if not groups[encoding]:
            del groups[encoding]
            self.encoded = groups or None

    def broadcast(self, broadcast: Broadcast, except_: Connection | None = None) -> int:
        """Queue an event for every subscriber but `except_`; return how many. The caller wakes the flusher."""
        # hot path
        frame, subscribers, totals = broadcast.text, self.plain, self.totals
        recipients = len(subscribers)
        if except_ is None:
            for connection in subscribers:
                connection.queue(frame)
        else:
            recipients -= except_ in subscribers
            for connection in subscribers:
                if connection is not except_:
                    connection.queue(frame)
        totals.messages_sent += recipients
        totals.bytes_sent += recipients * len(frame)
        if self.encoded is not None:
            for encoding, group in self.encoded.items():
                recipients += self._broadcast_to(group, encoding, broadcast, except_)
        return recipients

    def _broadcast_to(
        self, group: dict[Connection, None], encoding: Encoding, broadcast: Broadcast, except_: Connection | None
    ) -> int:
        # hot path: for each subscriber the same call as without an encoding
        recipients = len(group) - (except_ in group)
        if not recipients:
            return 0
        frame, totals = broadcast.frame(encoding), self.totals
        for connection in group:
            if connection is not except_:
                connection.queue(frame)
        totals.messages_sent += recipients
        totals.bytes_sent += recipients * len(frame)
        return recipients
