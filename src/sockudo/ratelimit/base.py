"""The interface of a rate limiter, which limits how often a key may act in a sliding window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from sockudo.eventual import Eventual


class Limit(NamedTuple):
    """At most `requests` units in any `seconds` seconds."""

    requests: int
    seconds: int


@dataclass(slots=True)
class Decision:
    """The decision of a limiter, with the values for the X-RateLimit-* headers.

    `remaining` is how many units could be taken right now. `reset_after` is the whole seconds, at least 1, after
    which the oldest unit has left the window and `remaining` grows; it is also the Retry-After of a refusal.
    Where the store is away and requests are admitted all the same, `is_counted` is false and the numbers say nothing.
    """

    allowed: bool
    limit: int
    remaining: int
    reset_after: int
    is_counted: bool = True


class RateLimiter(Protocol):
    """Counts the units that each key has used. A key always comes with the same limit."""

    async def start(self) -> None:
        """Get ready.

        Raises:
            DriverError: the store cannot be used; the message names the setting.
        """

    def consume(self, key: str, limit: Limit, cost: int = 1) -> Eventual[Decision]:
        """Take `cost` units of `limit` for `key`, all of them or none; refused units are not counted.

        Where the store cannot be asked, `DriverError` is raised or a future fails with it.
        """
        ...

    def check(self) -> Eventual[None]:
        """Do nothing while the store can be used.

        Raises:
            DriverError: it cannot; or the future fails with it.
        """

    async def aclose(self) -> None:
        """Release every resource; may be called again."""
