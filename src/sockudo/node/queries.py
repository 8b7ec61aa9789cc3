"""Answers questions about channels from memory.

Source: Pusher docs, `library_auth_reference/rest-api` ("GET channels" and following).
"""

from __future__ import annotations

from collections.abc import Iterator

from sockudo.eventual import Eventual, then
from sockudo.node.cached_events import CachedEvent, CachedEvents
from sockudo.node.view import View
from sockudo.pusher.channels import ChannelKind


class Queries:
    """What a back end may ask of an app's channels."""

    def __init__(self, view: View, cached_events: CachedEvents) -> None:
        self._view = view
        self._cached_events = cached_events

    def channel_count(self, app_id: str) -> int:
        """Return about how many channels `channel_names` yields."""
        return self._view.channel_count(app_id)

    def channel_names(self, app_id: str) -> Iterator[str]:
        """Yield the names of the channels with subscribers; channels may come and go meanwhile."""
        return self._view.channel_names(app_id)

    def connection_count(self, app_id: str) -> int:
        """Return how many connections an app has."""
        return self._view.connection_count(app_id)

    def is_occupied(self, app_id: str, name: str) -> bool:
        """Tell whether a channel has any subscriber."""
        return self._view.is_occupied(app_id, name)

    def users(self, app_id: str, name: str) -> list[str]:
        """Return the ids of the users on a presence channel, each once."""
        return list(self._view.members(app_id, name))

    def attributes(
        self, app_id: str, name: str, kind: ChannelKind, info: frozenset[str]
    ) -> Eventual[dict[str, object]]:
        """Return those of the attributes in `info` that a channel of this kind has."""
        found: dict[str, object] = {}
        if "occupied" in info:
            found["occupied"] = self._view.is_occupied(app_id, name)
        if "user_count" in info and kind.presence:
            found["user_count"] = self._view.member_count(app_id, name)
        if "subscription_count" in info:
            found["subscription_count"] = self._view.subscription_count(app_id, name)
        if "cache" not in info or not kind.cache:
            return found

        def with_cached(cached: CachedEvent | None) -> dict[str, object]:
            found["cache"] = None if cached is None else {"data": cached.data, "ttl": cached.ttl}
            return found

        return then(self._cached_events.find(app_id, name), with_cached)
