"""The interface of a cache, which holds the last event of cache channels: small values, each with a time to live.

A cache may lose a value at any time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sockudo.eventual import Eventual


@dataclass(frozen=True, slots=True)
class Cached:
    """A value that was found.

    `ttl` is the time it has left in whole seconds, rounded up; 0 says that it never expires.
    """

    value: bytes
    ttl: int


class Cache(Protocol):
    """A cache. A `get` after a `set` of the same process returns that value.

    Attributes:
        is_shared: every node gets the values that one node sets.
    """

    is_shared: bool

    async def start(self) -> None:
        """Get ready.

        Raises:
            DriverError: the store cannot be used; the message names the setting.
        """

    def get(self, key: str) -> Eventual[Cached | None]:
        """Return the value of `key`, or None if it was not set, has expired or was evicted.

        A future fails with `DriverError` if the store does not answer.
        """
        ...

    def set(self, key: str, value: bytes, ttl: float) -> Eventual[None]:
        """Keep `value` for `ttl` seconds, or for good if `ttl` is 0 or less; replace any earlier value.

        A future is done when every other process finds the value; callers may ignore it, and it does not fail. The
        driver logs and counts writes that the store does not take.
        """
        ...

    def delete(self, key: str) -> None:
        """Forget `key`; does nothing when it is unknown. Never waits, as `set`."""
        ...

    def check(self) -> Eventual[None]:
        """Do nothing while the store can be used.

        Raises:
            DriverError: it cannot; or the future fails with it.
        """
        ...

    async def aclose(self) -> None:
        """Release every resource; may be called again."""
