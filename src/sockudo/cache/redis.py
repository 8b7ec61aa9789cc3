"""The cache in a Redis or a Redis Cluster, shared by all nodes.

Commands are pipelined in order, so nothing waits for a write and a read sees every write before it. A write leaves
before anything else of its tick does: an event must leave for the cache before it leaves for the bus, so that a node
that is too late for the bus finds it here.

The driver repeats a write that failed because Redis was away, when Redis is back, unless another node has written the
key since. It compares no clocks: all nodes give a key the same time to live, so the value with more time left is the
newer one.

Keys are those of the original (`<prefix>:<key>`), and values are plain strings with an expiry, so that a cache shared
with it stays readable.
"""

from __future__ import annotations

import asyncio
from functools import partial
from math import ceil, inf
from typing import Any, Final

from sockudo.cache.base import Cached
from sockudo.cache.unconfirmed import Unconfirmed, Write
from sockudo.eventual import caught
from sockudo.log import get_logger
from sockudo.redis_client.base import Script
from sockudo.redis_client.client import redis_client
from sockudo.redis_client.options import RedisStoreOptions
from sockudo.redis_client.request import RedisLost, RedisRefusal

_log = get_logger("sockudo.cache")

# The most writes that wait for Redis: the default of cache.memory.max_capacity.
MAX_WRITES: Final = 10_000
MAX_BYTES: Final = 16 * 1024 * 1024
_MOST_NOTES: Final = 20
# The beginning of the error for a key of another type than the command is for.
_WRONG_TYPE: Final = "WRONGTYPE"

# ARGV: value, time left in milliseconds (0: for good).
_SET_UNLESS_NEWER: Final = Script("""
local left = tonumber(ARGV[2])
if left == 0 then
  redis.call('SET', KEYS[1], ARGV[1])
elseif redis.call('PTTL', KEYS[1]) < left then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', left)
end
return 1
""")


class RedisCache:
    """A `Cache` that all nodes share.

    Attributes:
        dropped: writes that were lost because Redis was away for too long.
        refused: writes that Redis answered with an error.
    """

    def __init__(self, options: RedisStoreOptions) -> None:
        self.is_shared = True
        self.dropped = 0
        self.refused = 0
        self._client = redis_client(options.place, options.timing)
        self._client.on_restored = self._write_again
        self._prefix = f"{options.prefix}:".encode()
        self._unconfirmed = Unconfirmed(MAX_WRITES, MAX_BYTES)
        self._noted: set[str] = set()

    async def start(self) -> None:
        """Connect, and try out every command.

        Raises:
            DriverError: Redis cannot be reached or refuses; the message names the setting.
        """
        try:
            await self._client.start()
            name, call = self._prefix + b"check", self._client.call
            await self._try_to_write()
            # One after the other, so that the error is the first refusal.
            await call(b"GET", name)
            await call(b"PTTL", name)
            await self._client.run(_SET_UNLESS_NEWER, [name], [b"1", b"1000"])
            await call(b"DEL", name)
        except BaseException:
            await self._client.aclose()
            raise

    def get(self, key: str) -> asyncio.Future[Cached | None]:
        """Ask for a value; the future fails with `DriverError` if Redis does not answer."""
        name = self._prefix + key.encode()
        value, left = self._client.call(b"GET", name), self._client.call(b"PTTL", name)
        return asyncio.ensure_future(_cached(value, left))

    def set(self, key: str, value: bytes, ttl: float) -> asyncio.Future[None]:
        """Keep a value; the future is done when Redis has it, or cannot take it now."""
        expires = asyncio.get_running_loop().time() + ttl if ttl > 0 else inf
        written = self._write(self._prefix + key.encode(), Write(value, expires), ttl)
        return caught(written, lambda _: None)

    def delete(self, key: str) -> None:
        self._write(self._prefix + key.encode(), Write(None, inf), 0)

    def check(self) -> asyncio.Future[None]:
        """Check that every server lives and takes writes; the future fails with `DriverError`."""
        return asyncio.ensure_future(self._check())

    async def aclose(self) -> None:
        await self._client.aclose()
        lost = sum(1 for _ in self._unconfirmed.failed())
        if lost:
            _log.warning("cached events are lost: redis was not back before the end", count=lost)
            self._unconfirmed = Unconfirmed(MAX_WRITES, MAX_BYTES)

    async def _check(self) -> None:
        await self._client.check()
        await self._try_to_write()

    async def _try_to_write(self) -> None:
        await self._client.call(b"SET", self._prefix + b"check", b"1", b"PX", b"1000")

    # Writing.

    def _write(self, name: bytes, write: Write, ttl: float) -> asyncio.Future[Any]:
        self._given_up(self._unconfirmed.put(name, write))
        words: tuple[bytes, ...]
        if write.value is None:
            words = (b"DEL", name)
        elif ttl > 0:
            words = (b"SET", name, write.value, b"PX", _milliseconds(ttl))
        else:
            words = (b"SET", name, write.value)
        done = self._client.call(*words, at_once=True)
        done.add_done_callback(partial(self._written, name, write))
        return done

    def _written(self, name: bytes, write: Write, done: asyncio.Future[Any]) -> None:
        error = done.exception()
        if error is None:
            self._unconfirmed.confirm(name, write)
        elif not isinstance(error, RedisLost):
            self._unconfirmed.confirm(name, write)
            self.refused += 1
            self._note("redis refuses a cached event", str(error))
        elif write.is_kept:
            write.has_failed = True
        elif write.made_room:
            self._given_up(1)

    def _write_again(self) -> None:
        now = asyncio.get_running_loop().time()
        for name, write in self._unconfirmed.failed():
            write.has_failed = False
            if write.expires <= now:
                self._unconfirmed.confirm(name, write)
                continue
            if write.value is None:
                done = self._client.call(b"DEL", name)
            else:
                left = b"0" if write.expires == inf else _milliseconds(write.expires - now)
                done = self._client.run(_SET_UNLESS_NEWER, [name], [write.value, left])
            done.add_done_callback(partial(self._written, name, write))
        self._noted.clear()

    def _given_up(self, count: int) -> None:
        if count:
            self.dropped += count
            self._note("cached events are dropped: redis is away and too many wait for it", f"{MAX_WRITES} at most")

    def _note(self, event: str, reason: str) -> None:
        """Log a problem once until Redis is back."""
        if (event + reason) not in self._noted and len(self._noted) < _MOST_NOTES:
            self._noted.add(event + reason)
            _log.warning(event, reason=reason)


async def _cached(value: asyncio.Future[Any], left: asyncio.Future[Any]) -> Cached | None:
    await asyncio.wait((value, left))
    # Both are awaited, even if the first has failed: the event loop reports exceptions that nothing has read.
    for problem in filter(None, (value.exception(), left.exception())):
        # Another program has written a value of another type; the next event replaces it.
        if isinstance(problem, RedisRefusal) and _WRONG_TYPE in str(problem):
            return None
        raise problem
    found, milliseconds = value.result(), left.result()
    # The value may have expired between the two commands.
    if found is None or milliseconds == -2:
        return None
    return Cached(found, 0 if milliseconds == -1 else max(1, ceil(milliseconds / 1000)))


def _milliseconds(seconds: float) -> bytes:
    return b"%d" % max(1, ceil(seconds * 1000))
