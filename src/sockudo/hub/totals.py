"""What each app has done in this process since the start, as plain integers, which metrics read when they are asked.

Counting is on the hot path: one addition for a broadcast, never one for a subscriber.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

# Apps that do not exist are counted together: what a peer calls one is never kept.
UNKNOWN: Final = "unknown"
# What belongs to no app: health probes.
SYSTEM: Final = "system"


class AppTotals:
    """The totals of one app.

    Attributes:
        connections, disconnections: sockets that were accepted, and that ended.
        messages_received, bytes_received: messages of clients, and their payloads.
        messages_sent, bytes_sent: frames queued for clients, heads included, each once for each recipient.
        http_calls, http_bytes_received, http_bytes_sent: calls of the HTTP API that were carried out, and their bodies.
        client_events, client_events_refused: client events held against their rate, and those above it.
        subscriptions, unsubscriptions: by the label of the channel's kind.
        channels: how many channels have subscribers here now, by the same label.
        errors: connections and messages that were refused, by kind.
    """

    __slots__ = (
        "bytes_received",
        "bytes_sent",
        "channels",
        "client_events",
        "client_events_refused",
        "connections",
        "disconnections",
        "errors",
        "http_bytes_received",
        "http_bytes_sent",
        "http_calls",
        "messages_received",
        "messages_sent",
        "subscriptions",
        "unsubscriptions",
    )

    def __init__(self) -> None:
        self.connections = self.disconnections = 0
        self.messages_received = self.bytes_received = 0
        self.messages_sent = self.bytes_sent = 0
        self.http_calls = self.http_bytes_received = self.http_bytes_sent = 0
        self.client_events = self.client_events_refused = 0
        self.subscriptions: dict[str, int] = defaultdict(int)
        self.unsubscriptions: dict[str, int] = defaultdict(int)
        self.channels: dict[str, int] = defaultdict(int)
        self.errors: dict[str, int] = defaultdict(int)

    def count_call(self, received: int, sent: int) -> None:
        """Count a call of the HTTP API that was carried out, and the bytes of both bodies."""
        # hot path
        self.http_calls += 1
        self.http_bytes_received += received
        self.http_bytes_sent += sent


class Totals(dict[str, AppTotals]):
    """The totals by app id. They outlive the connections of the app, and begin with its first use."""

    def __missing__(self, app_id: str) -> AppTotals:
        totals = self[app_id] = AppTotals()
        return totals


# Takes what connections and channels count that belong to no hub.
UNCOUNTED: Final = AppTotals()
