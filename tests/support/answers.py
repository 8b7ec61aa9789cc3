"""For suites that run against drivers in memory and remote ones alike."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def settle(answer: T | Awaitable[T]) -> T:
    """Return an answer that was given at once or is still to come."""
    if isinstance(answer, Awaitable):
        return await answer
    return answer
