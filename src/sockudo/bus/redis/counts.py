"""Counters of the Redis drivers, which outlive their connections."""

from __future__ import annotations


class Counts:
    """Plain integers, for metrics."""

    __slots__ = ("dropped", "published", "received", "reconnects", "refused")

    def __init__(self) -> None:
        self.published = 0
        self.received = 0
        # Messages that were not sent, because the bus was lost.
        self.dropped = 0
        # Messages that the server answered with an error.
        self.refused = 0
        self.reconnects = 0
