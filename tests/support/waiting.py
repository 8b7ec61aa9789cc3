"""Waiting for what no event tells: another process, or a node's copy of what the others know."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

WITHIN: Final = 30.0
_STEP: Final = 0.005


async def eventually(ask: Callable[[], Awaitable[object]], expected: object = True, within: float = WITHIN) -> None:
    """Ask again and again until the answer is `expected`; fails with the last answer."""
    deadline = asyncio.get_running_loop().time() + within
    while (answer := await ask()) != expected:
        assert asyncio.get_running_loop().time() < deadline, f"after {within:g} s it is still {answer!r}"
        await asyncio.sleep(_STEP)
