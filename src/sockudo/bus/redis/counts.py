"""What the Redis drivers count, across all the connections that they have had."""

from __future__ import annotations


class Counts:
    """Plain integers; whoever exports metrics reads them."""

    __slots__ = ("dropped", "published", "received", "reconnects", "refused")

    def __init__(self) -> None:
        self.published = 0
        self.received = 0
        # Not sent, because the bus was lost.
        self.dropped = 0
        # Sent, and answered with an error.
        self.refused = 0
        self.reconnects = 0
