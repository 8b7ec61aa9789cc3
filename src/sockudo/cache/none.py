"""The cache that keeps nothing (`cache.driver = none`)."""

from __future__ import annotations


class NoCache:
    """Always misses."""

    __slots__ = ("is_shared",)

    def __init__(self) -> None:
        self.is_shared = False

    async def start(self) -> None:
        """Do nothing."""

    def get(self, key: str) -> None:
        return None

    def set(self, key: str, value: bytes, ttl: float) -> None:
        pass

    def delete(self, key: str) -> None:
        pass

    def check(self) -> None:
        pass

    async def aclose(self) -> None:
        pass
