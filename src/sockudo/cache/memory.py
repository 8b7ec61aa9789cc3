"""The cache of one process: bounded by its entries and by its bytes, least recently used first out.

The cache never returns an expired entry. It drops one when a caller asks for it, when the cache is full, or when the
owner sweeps (`cache.memory.cleanup_interval`), whichever is first; a timing wheel finds expired entries, so no sweep
visits the others.
"""

from __future__ import annotations

from collections import OrderedDict
from math import ceil, inf
from typing import Final

from sockudo.cache.base import Cached
from sockudo.timing.clock import Clock
from sockudo.timing.deadlines import Deadlines

# The bytes of an entry besides its key and its value.
ENTRY_BYTES: Final = 400
_MAX_BYTES: Final = 256 * 1024 * 1024


class _Entry:
    __slots__ = ("deadline", "expires", "key", "value")

    def __init__(self, key: str, value: bytes, expires: float) -> None:
        self.key = key
        self.value = value
        self.expires = expires
        self.deadline = 0

    @property
    def size(self) -> int:
        return ENTRY_BYTES + len(self.key) + len(self.value)


class MemoryCache:
    """At most `max_entries` values in a dictionary, of at most `max_bytes`.

    Attributes:
        bytes: their size.
    """

    __slots__ = ("_clock", "_entries", "_expiring", "_max_bytes", "_max_entries", "bytes", "is_shared")

    def __init__(self, max_entries: int, clock: Clock, *, max_bytes: int = _MAX_BYTES) -> None:
        self.is_shared = False
        self.bytes = 0
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._expiring: Deadlines[_Entry] = Deadlines(int(clock.monotonic()))

    @property
    def size(self) -> int:
        """How many entries are in memory, expired ones included. Not `__len__`: an empty cache is not a missing one."""
        return len(self._entries)

    async def start(self) -> None:
        """Do nothing."""

    def get(self, key: str) -> Cached | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.expires == inf:
            self._entries.move_to_end(key)
            return Cached(entry.value, 0)
        left = entry.expires - self._clock.monotonic()
        if left <= 0:
            self.delete(key)
            return None
        self._entries.move_to_end(key)
        return Cached(entry.value, ceil(left))

    def set(self, key: str, value: bytes, ttl: float) -> None:
        self.delete(key)
        expires = self._clock.monotonic() + ttl if ttl > 0 else inf
        entry = self._entries[key] = _Entry(key, value, expires)
        self.bytes += entry.size
        if expires != inf:
            self._expiring.schedule(entry, ceil(expires))
        if self._is_full():
            self._make_room()

    def delete(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.bytes -= entry.size
            self._expiring.discard(entry)

    def sweep(self) -> None:
        """Drop expired entries, to the second."""
        for entry in self._expiring.due(int(self._clock.monotonic())):
            del self._entries[entry.key]
            self.bytes -= entry.size

    def check(self) -> None:
        """Memory can always be used."""

    async def aclose(self) -> None:
        self._entries.clear()
        self.bytes = 0
        self._expiring = Deadlines()

    def _make_room(self) -> None:
        self.sweep()
        while self._is_full():
            self.delete(next(iter(self._entries)))

    def _is_full(self) -> bool:
        return len(self._entries) > self._max_entries or self.bytes > self._max_bytes
