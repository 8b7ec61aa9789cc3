"""Limits the memory that the bodies of all open requests take together."""

from __future__ import annotations

from typing import Final

_MEGABYTE: Final = 1024 * 1024


class BodyBudget:
    """Bytes that requests with an accepted head have announced, or sent, and that are not answered yet.

    Attributes:
        limit: of `taken`.
    """

    __slots__ = ("limit", "taken")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0

    def take(self, size: int) -> bool:
        """Reserve memory; return whether there was enough."""
        if self.taken + size > self.limit:
            return False
        self.taken += size
        return True

    def give_back(self, size: int) -> None:
        """Return what was reserved."""
        self.taken -= size

    def __str__(self) -> str:
        return f"{self.limit // _MEGABYTE} MB"
