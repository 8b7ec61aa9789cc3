"""The interface of a cache: small values that may be lost at any time, each with a time to live.

It holds the last event of cache channels. Every method answers at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Cached:
    """A value that was found.

    `ttl` is the whole seconds it has left, rounded up; 0 says that it never expires.
    """

    value: bytes
    ttl: int


class Cache(Protocol):
    """A cache. Every method but `aclose` may raise what the store raises."""

    def get(self, key: str) -> Cached | None:
        """Return what was set for `key`, or None when it was not, has expired or was evicted."""
        ...

    def set(self, key: str, value: bytes, ttl: float) -> None:
        """Keep `value` for `ttl` seconds, or for good when `ttl` is 0 or less; replaces what was set before."""
        ...

    def delete(self, key: str) -> None:
        """Forget `key`; does nothing when it is unknown."""
        ...

    def check(self) -> None:
        """Raise when the store cannot be used."""
        ...

    async def aclose(self) -> None:
        """Release what the driver holds; may be called again."""
