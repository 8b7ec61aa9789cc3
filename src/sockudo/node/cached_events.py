"""The last event of each cache channel.

Source: Pusher docs, `using_channels/cache-channels`.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from sockudo.cache.base import Cache


class CachedEvent(NamedTuple):
    """An event that is kept.

    Attributes:
        payload: the event as its subscribers got it, UTF-8 JSON.
        ttl: whole seconds that it will be kept.
    """

    payload: bytes
    ttl: int

    @property
    def data(self) -> str:
        """The event's data."""
        return msgspec.json.decode(self.payload, type=_Payload).data


class _Payload(msgspec.Struct, gc=False):
    data: str


class CachedEvents:
    """Keeps and finds the last event of a cache channel."""

    def __init__(self, cache: Cache, ttl: float) -> None:
        self._cache = cache
        self._ttl = ttl

    def keep(self, app_id: str, channel: str, payload: bytes) -> None:
        """Keep an event in place of the one before."""
        self._cache.set(_key(app_id, channel), payload, self._ttl)

    def find(self, app_id: str, channel: str) -> CachedEvent | None:
        """Return the event that is kept, or None."""
        cached = self._cache.get(_key(app_id, channel))
        return None if cached is None else CachedEvent(cached.value, cached.ttl)


def _key(app_id: str, channel: str) -> str:
    # The original's key, so that a cache shared with it stays readable.
    return f"app:{app_id}:channel:{channel}:cache_miss"
