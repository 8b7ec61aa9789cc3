"""Clients of stores in tests: started and closed, and asked whether they work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from sockudo.errors import DriverError
from sockudo.redis_client.base import RedisClient
from sockudo.redis_client.client import redis_client
from sockudo.redis_client.options import RedisPlace, RedisTiming

IMPATIENT = RedisTiming(connect_timeout=1, probe_interval=0.1, answer_timeout=0.3)


@asynccontextmanager
async def started(place: RedisPlace, timing: RedisTiming = IMPATIENT) -> AsyncIterator[RedisClient]:
    client = redis_client(place, timing)
    try:
        await client.start()
        yield client
    finally:
        await client.aclose()


async def until(is_true: Callable[[], Awaitable[bool]], within: float = 40) -> None:
    """Ask again and again, as probes do."""
    async with asyncio.timeout(within):
        while not await is_true():  # noqa: ASYNC110 - another process has no event to wait for
            await asyncio.sleep(0.02)


async def works(client: RedisClient) -> bool:
    """Whether a client passes its check."""
    try:
        await client.check()
    except DriverError:
        return False
    return True


async def lost(client: RedisClient) -> bool:
    """Whether it does not."""
    return not await works(client)
