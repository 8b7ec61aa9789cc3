"""The rate limiter of one machine: exact sliding windows in memory, which its workers share.

Every decision is made at once, by the process that is asked, in a table that it locks for a few microseconds. Keys are
spread over tables by their hash, so that workers seldom want the same one. Limits of different lengths have tables of
their own. The memory is bounded (`SIZE`); `table.py` says what happens to keys for which there is no room.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from hashlib import blake2b
from typing import Final

from sockudo.ratelimit.area import Area, SharedArea
from sockudo.ratelimit.base import Decision, Limit
from sockudo.ratelimit.meter import Meter
from sockudo.ratelimit.table import Shape, Table
from sockudo.timing.clock import Clock

# Limits of requests, of connections, and the quotas of apps.
_PARTS: Final = 3
_PART_OF: Final = {"api": 0, "websocket": 1, "events": 2, "reads": 2}
_TABLES: Final = 16
SHAPE: Final = Shape(windows=8192, spare=256, entries=65_536)

SIZE: Final = _PARTS * _TABLES * SHAPE.size
"""Bytes that are never exceeded, whoever asks."""

_REMEMBERED_NAMES: Final = 4096
_MAX_METERS: Final = 1024


class MemoryRateLimiter:
    """Decides at once.

    Args:
        area: what the workers of this machine share; None where there is one process.
    """

    __slots__ = ("_area", "_clock", "_meters", "_name", "_shape", "_tables")

    def __init__(self, clock: Clock, area: Area | None = None, shape: Shape = SHAPE) -> None:
        self._clock = clock
        self._shape = shape
        # The meter of each key that has one, so that none has two.
        self._meters: dict[str, Meter] = {}
        self._use(area or Area(_PARTS * _TABLES * shape.size))

    @property
    def size(self) -> int:
        """How many keys have a window of their own. Not `__len__`: a limiter without any is not a missing one."""
        return sum(table.size for table in self._tables)

    @property
    def entries(self) -> int:
        """How many entries are remembered."""
        return sum(table.entries for table in self._tables)

    async def start(self) -> None:
        """Do nothing."""

    def consume(self, key: str, limit: Limit, cost: int = 1) -> Decision:  # hot path
        """Take units, as `RateLimiter` says.

        Raises:
            AreaError: another worker hangs while it counts.
        """
        meter = self._meters.get(key)
        if meter is not None:
            meter.settle()
        index, name = self._place(key)
        area = self._area
        area.lock(index)
        try:
            return self._tables[index].take(name, limit, cost, self._clock.monotonic())
        finally:
            area.unlock(index)

    def meter(self, key: str, limit: Limit) -> Callable[[], Decision]:
        """Return what takes one unit of `limit` for `key` each time, as `consume` does, and sooner."""
        if isinstance(self._area, SharedArea):
            return partial(self.consume, key, limit)
        meter = self._meters.get(key)
        if meter is None:
            if len(self._meters) >= _MAX_METERS:
                self._retire_meters()
            index, name = self._place(key)
            meter = self._meters[key] = Meter(
                self._tables[index], name, limit, self._clock.monotonic, partial(self.consume, key, limit)
            )
        return meter.take

    def check(self) -> None:
        """Memory can always be used."""

    async def aclose(self) -> None:
        """Forget what is remembered, unless other workers need it."""
        if not isinstance(self._area, SharedArea):
            self._retire_meters()
            self._use(Area(len(self._tables) * self._shape.size))

    def _retire_meters(self) -> None:
        for meter in self._meters.values():
            meter.retire()
        self._meters.clear()

    def _place(self, key: str) -> tuple[int, int]:
        """Return the number of the table of a key, and what the table knows it by."""
        name = self._name(key)
        return _PART_OF.get(key.partition("::")[0], 0) * _TABLES + name % _TABLES, name // _TABLES

    def _use(self, area: Area) -> None:
        size = self._shape.size
        starts = range(0, _PARTS * _TABLES * size, size)
        self._area = area
        self._tables = [Table(area.memory[start : start + size], self._shape) for start in starts]
        secret = area.secret

        @lru_cache(maxsize=_REMEMBERED_NAMES)
        def name_of(key: str) -> int:
            digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8, key=secret).digest()
            return int.from_bytes(digest, "little")

        self._name = name_of
