"""One channel of one app: its subscribers on this node."""

from __future__ import annotations

from sockudo.hub.connection import Connection
from sockudo.hub.members import Members
from sockudo.hub.totals import UNCOUNTED, AppTotals
from sockudo.pusher.channels import ChannelKind


class Channel:
    """The subscribers of a channel, and the members of a presence channel.

    Attributes:
        subscribers: a dict for its order and for removal in constant time; the values are not used.
        members: the users, on a presence channel; None elsewhere.
        totals: those of its app.
    """

    __slots__ = ("kind", "members", "name", "subscribers", "totals")

    def __init__(self, name: str, kind: ChannelKind, totals: AppTotals = UNCOUNTED) -> None:
        self.name = name
        self.kind = kind
        self.totals = totals
        self.subscribers: dict[Connection, None] = {}
        self.members = Members() if kind.presence else None

    def broadcast(self, frame: bytes, except_: Connection | None = None) -> int:
        """Queue one frame for every subscriber but `except_`; return how many. The caller wakes the flusher."""
        # hot path
        subscribers, totals = self.subscribers, self.totals
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
        return recipients
