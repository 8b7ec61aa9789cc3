"""The rate limiter in a Redis or a Redis Cluster: one exact sliding window for all nodes.

A window is a sorted set of the moments at which its units were taken, each a member of its own. A decision is one
script on one key, so it is atomic and works on a cluster. The time is the server's: nodes whose clocks differ would
disagree about which units are still in the window. A server whose clock was set back finds units in the future; they
count as taken now, so that a window never allows more than its limit and is never shut for longer than its length.

The key is that of the original (`<prefix>:rl:<key>`). A window costs Redis about a hundred bytes for each unit in it.
"""

from __future__ import annotations

import asyncio
import secrets
from functools import partial
from itertools import count
from math import ceil
from typing import Any, Final

from sockudo.ratelimit.base import Decision, Limit
from sockudo.redis_client.base import Script
from sockudo.redis_client.client import redis_client
from sockudo.redis_client.options import RedisStoreOptions

_MICROSECONDS: Final = 1_000_000

# Microseconds of the server's clock. Doubles hold them exactly for two centuries more.
SERVER_TIME: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
"""

# KEYS: the window. ARGV: units allowed, length (microseconds), units to take, a name for them.
# Returns whether they were taken, how many are left, and after how long (microseconds) the oldest one leaves.
DECIDE: Final = """
local key, limit, length, cost = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local moment = string.format('%.0f', now)
-- Half open: a unit that is exactly a window old is out, so waiting as long as a refusal says is always enough.
local swept = redis.pcall('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', now - length))
-- What another program has put there is no window, and would be in the way for ever. It ends now.
if type(swept) == 'table' and swept.err then redis.call('PEXPIRE', key, 0) end
for _, member in ipairs(redis.call('ZRANGEBYSCORE', key, '(' .. moment, '+inf')) do
  redis.call('ZADD', key, moment, member)
end
local used = redis.call('ZCARD', key)
local allowed = used + cost <= limit
if allowed then
  for unit = 1, cost do
    redis.call('ZADD', key, moment, ARGV[4] .. ':' .. unit)
  end
  redis.call('PEXPIRE', key, string.format('%.0f', math.ceil(length / 1000)))
  used = used + cost
end
local oldest = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
local wait = oldest and oldest + length - now or length
return {allowed and 1 or 0, math.max(0, limit - used), wait}
"""


class RedisRateLimiter:
    """Decides by the requests of all nodes."""

    def __init__(self, options: RedisStoreOptions) -> None:
        self._client = redis_client(options.place, options.timing)
        self._prefix = f"{options.prefix}:rl:".encode()
        self._script = Script(SERVER_TIME + DECIDE)
        # Members of a set are unique in the cluster: this process, and a number.
        self._process = secrets.token_hex(6).encode()
        self._numbers = count()

    async def start(self) -> None:
        """Connect, and try the script out.

        Raises:
            DriverError: Redis cannot be reached or refuses; the message names the setting.
        """
        try:
            await self._client.start()
            await self.consume("check", Limit(1, 1))
        except BaseException:
            await self._client.aclose()
            raise

    def consume(self, key: str, limit: Limit, cost: int = 1) -> asyncio.Future[Decision]:
        """Ask Redis for `cost` units; the future fails with `DriverError` if Redis does not answer.

        Redis may have counted the units of a failed future, or not.
        """
        arguments = [
            b"%d" % limit.requests,
            b"%d" % (limit.seconds * _MICROSECONDS),
            b"%d" % cost,
            b"%b:%d" % (self._process, next(self._numbers)),
        ]
        return self._client.run_for(partial(decision_of, limit), self._script, [self._prefix + key.encode()], arguments)

    def check(self) -> asyncio.Future[None]:
        """Check that every server lives; the future fails with `DriverError`."""
        return asyncio.ensure_future(self._client.check())

    async def aclose(self) -> None:
        await self._client.aclose()


def decision_of(limit: Limit, reply: Any) -> Decision:
    """Read the reply of the script."""
    allowed, remaining, wait = reply
    # A unit that is taken in this moment stays for the whole window.
    reset_after = min(max(1, ceil(wait / _MICROSECONDS)), limit.seconds)
    return Decision(allowed == 1, limit.requests, remaining, reset_after)
