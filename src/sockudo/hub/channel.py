"""One channel of one app: its subscribers on this node."""

from __future__ import annotations

from sockudo.hub.connection import Connection
from sockudo.hub.members import Members
from sockudo.pusher.channels import ChannelKind


class Channel:
    """The subscribers of a channel, and the members of a presence channel.

    Attributes:
        subscribers: a dict for its order and for removal in constant time; the values are not used.
        members: the users, on a presence channel; None elsewhere.
    """

    __slots__ = ("kind", "members", "name", "subscribers")

    def __init__(self, name: str, kind: ChannelKind) -> None:
        self.name = name
        self.kind = kind
        self.subscribers: dict[Connection, None] = {}
        self.members = Members() if kind.presence else None

    def broadcast(self, frame: bytes, except_: Connection | None = None) -> None:
        """Queue one frame for every subscriber but `except_`. The caller wakes the flusher."""
        # hot path
        if except_ is None:
            for connection in self.subscribers:
                connection.queue(frame)
        else:
            for connection in self.subscribers:
                if connection is not except_:
                    connection.queue(frame)
