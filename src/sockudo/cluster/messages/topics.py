"""Names of the topics on the bus."""

from __future__ import annotations

from typing import Final

# Heartbeats and deltas; every node joins it.
EVERYONE: Final = "everyone"
# Attempts to deliver webhooks; only followers join it, no node does.
DELIVERIES: Final = "deliveries"


def node_topic(node_id: str) -> str:
    """Return the topic that only this node joins."""
    return f"node:{node_id}"


def channel_topic(app_id: str, channel: str) -> str:
    """Return the topic of a channel's events. No channel name has a slash, so no two channels share a topic."""
    return f"c:{app_id}/{channel}"
