"""Questions about channels, answered from memory.

Source: Pusher docs, `library_auth_reference/rest-api` ("GET channels" and following).
"""

from __future__ import annotations

from sockudo.hub.channel import Channel
from sockudo.hub.hub import Hub
from sockudo.node.cached_events import CachedEvents
from sockudo.pusher.channels import ChannelKind


class Queries:
    """What a back end may ask of an app's channels."""

    def __init__(self, hub: Hub, cached_events: CachedEvents) -> None:
        self._hub = hub
        self._cached_events = cached_events

    def occupied_channels(self, app_id: str, prefix: str) -> list[Channel]:
        """Return the channels with subscribers whose names start with `prefix`."""
        return [channel for channel in self._hub.channels(app_id) if channel.name.startswith(prefix)]

    def is_occupied(self, app_id: str, name: str) -> bool:
        """Tell whether a channel has any subscriber."""
        return self._hub.channel(app_id, name) is not None

    def users(self, app_id: str, name: str) -> list[str]:
        """Return the ids of the users on a presence channel, each once."""
        channel = self._hub.channel(app_id, name)
        return [] if channel is None or channel.members is None else list(channel.members)

    def attributes(self, app_id: str, name: str, kind: ChannelKind, info: frozenset[str]) -> dict[str, object]:
        """Return those of the attributes in `info` that a channel of this kind has."""
        channel = self._hub.channel(app_id, name)
        found: dict[str, object] = {}
        if "occupied" in info:
            found["occupied"] = channel is not None
        if "user_count" in info and kind.presence:
            found["user_count"] = 0 if channel is None or channel.members is None else len(channel.members)
        if "subscription_count" in info:
            found["subscription_count"] = 0 if channel is None else len(channel.subscribers)
        if "cache" in info and kind.cache:
            cached = self._cached_events.find(app_id, name)
            found["cache"] = None if cached is None else {"data": cached.data, "ttl": cached.ttl}
        return found
