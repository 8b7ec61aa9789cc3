"""Recognises the first of several equal keys within a short time."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from sockudo.timing.clock import Clock

K = TypeVar("K", bound=Hashable)


class RecentKeys(Generic[K]):
    """Keys that were added within some seconds; the oldest make room."""

    def __init__(self, clock: Clock, seconds: float, most: int) -> None:
        self._clock = clock
        self._seconds = seconds
        self._most = most
        # The oldest first.
        self._added: dict[K, float] = {}

    def add(self, key: K) -> bool:
        """Add a key; return whether it is new."""
        now, added = self._clock.monotonic(), self._added
        while added and (next(iter(added.values())) <= now - self._seconds or len(added) >= self._most):
            del added[next(iter(added))]
        if key in added:
            return False
        added[key] = now
        return True
