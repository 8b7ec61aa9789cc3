"""The interface of a cache: small values that may be lost at any time, each with a time to live.

It holds the last event of cache channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sockudo.eventual import Eventual


@dataclass(frozen=True, slots=True)
class Cached:
    """A value that was found.

    `ttl` is the whole seconds it has left, rounded up; 0 says that it never expires.
    """

    value: bytes
    ttl: int


class Cache(Protocol):
    """A cache. What is asked for after it was set in this process is what was set.

    Attributes:
        is_shared: what one node sets, every node gets.
    """

    is_shared: bool

    async def start(self) -> None:
        """Get ready.

        Raises:
            DriverError: the store cannot be used; the message names the setting.
        """

    def get(self, key: str) -> Eventual[Cached | None]:
        """Return what was set for `key`, or None when it was not, has expired or was evicted.

        A future fails with `DriverError` where the store cannot be asked.
        """
        ...

    def set(self, key: str, value: bytes, ttl: float) -> Eventual[None]:
        """Keep `value` for `ttl` seconds, or for good when `ttl` is 0 or less; replaces what was set before.

        A future is done when every other process finds the value; it need not be waited for, and does not fail. What a
        store does not take is logged and counted by the driver.
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
        """Release what the driver holds; may be called again."""
