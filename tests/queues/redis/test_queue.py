"""The queue in one Redis keeps the contract, however the Redis is reached."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from urllib.parse import quote

import pytest

from sockudo.config.sections.queue import RedisQueueSettings
from sockudo.queues.redis.options import RedisQueueOptions
from sockudo.queues.redis.queue import RedisQueue
from sockudo.redis_client.options import RedisPlace, RedisTarget
from sockudo.timing.clock import LoopClock
from tests.contracts.queue import MakeQueue, SharedQueueContract
from tests.servers.redis_server import PASSWORD, RedisProcess

_numbers = count()


@asynccontextmanager
async def queues_at(place: RedisPlace, make: type[RedisQueue] = RedisQueue) -> AsyncIterator[Callable[[], RedisQueue]]:
    """Makes queues that share what nobody else does: nobody has their prefix."""
    options = RedisQueueOptions(RedisQueueSettings(), place, prefix=f"sockudo_queue_{next(_numbers)}:", poll=0.1)
    queues: list[RedisQueue] = []

    def make_queue() -> RedisQueue:
        queues.append(make(LoopClock(asyncio.get_running_loop()), options))
        return queues[-1]

    yield make_queue
    for queue in queues:
        await queue.aclose()


class TestRedisQueue(SharedQueueContract):
    @pytest.fixture
    async def make_queue(self, redis_server: RedisProcess) -> AsyncIterator[MakeQueue]:
        async with queues_at(RedisTarget(redis_server.url)) as make_queue:
            yield make_queue


class TestRedisQueueOverTls(SharedQueueContract):
    @pytest.fixture
    async def make_queue(self, redis_tls: tuple[RedisProcess, Path]) -> AsyncIterator[MakeQueue]:
        server, certificate = redis_tls
        target = RedisTarget(f"rediss://127.0.0.1:{server.port}?ssl_ca_certs={quote(str(certificate))}")
        async with queues_at(target) as make_queue:
            yield make_queue


RIGHTS = "+eval +evalsha +ping +time +get +set +exists +persist +rpush +lpop +lindex +llen +lrange +lrem +ltrim"
RIGHTS += " +hset +hget +hdel +hincrby +del +zadd +zrem +zscore +zrange +zrangebyscore ~sockudo_queue*"


class TestRedisQueueOfAUserWhoMayDoNoMoreThanItNeeds(SharedQueueContract):
    @pytest.fixture
    async def make_queue(self, redis_acl: RedisProcess) -> AsyncIterator[MakeQueue]:
        await asyncio.to_thread(redis_acl.cli, "ACL", "SETUSER", "jobs", "reset", "on", f">{PASSWORD}", *RIGHTS.split())
        target = RedisTarget(f"redis://jobs:{quote(PASSWORD, safe='')}@127.0.0.1:{redis_acl.port}")
        async with queues_at(target) as make_queue:
            yield make_queue
