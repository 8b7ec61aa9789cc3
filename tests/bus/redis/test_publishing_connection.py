"""Which messages Redis answers, and what the answers that are left out must not hide."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sockudo.bus.redis.adapter import RedisAdapter
from sockudo.bus.redis.options import RedisOptions
from sockudo.config.sections.adapter import RedisAdapterSettings
from sockudo.redis_client.options import RedisTarget
from tests.contracts.adapter import joined
from tests.fakes.inbox import WAIT, RecordingInbox
from tests.servers.redis_server import RedisProcess


@asynccontextmanager
async def node(redis: RedisProcess) -> AsyncIterator[tuple[RedisAdapter, RecordingInbox]]:
    adapter, inbox = RedisAdapter(RedisOptions(RedisAdapterSettings(), RedisTarget(redis.url))), RecordingInbox()
    await adapter.start(inbox)
    try:
        yield adapter, inbox
    finally:
        await adapter.aclose()


async def sent_by(redis: RedisProcess) -> int:
    """Return the bytes that Redis has sent to all its clients."""
    lines = (await asyncio.to_thread(redis.cli, "INFO", "stats")).splitlines()
    return next(int(line.partition(":")[2]) for line in lines if line.startswith("total_net_output_bytes:"))


async def publish_in_ticks(adapter: RedisAdapter, count: int) -> None:
    for _ in range(count):
        adapter.publish("t", b"1")
        await asyncio.sleep(0)
    await joined(adapter, "everything before was taken")


async def test_redis_answers_few_of_many_messages(own_redis: RedisProcess) -> None:
    async with node(own_redis) as (adapter, _):
        await joined(adapter, "other")
        before = await sent_by(own_redis)
        await publish_in_ticks(adapter, 10_000)
        # An answer has four bytes; what INFO itself says has less than these.
        assert await sent_by(own_redis) - before < 20_000
        stats = await asyncio.to_thread(own_redis.cli, "INFO", "commandstats")
        assert "cmdstat_publish:calls=10001," in stats


async def test_a_refusal_behind_unanswered_messages_is_noticed(own_redis: RedisProcess) -> None:
    async with node(own_redis) as (adapter, _):
        await publish_in_ticks(adapter, 10)
        await asyncio.to_thread(own_redis.cli, "ACL", "SETUSER", "default", "-publish")
        async with asyncio.timeout(WAIT):
            while adapter.counts.refused == 0:
                await publish_in_ticks(adapter, 1)
        noticed = adapter.counts.refused
        await publish_in_ticks(adapter, 5)
        await adapter.aclose()
        assert adapter.counts.refused == noticed + 5


async def test_a_login_that_needs_every_answer_publishes(own_redis: RedisProcess) -> None:
    await asyncio.to_thread(own_redis.cli, "ACL", "SETUSER", "default", "-client|reply")
    async with node(own_redis) as (first, _), node(own_redis) as (second, heard):
        await joined(second, "t")
        await publish_in_ticks(first, 3)
        assert await heard.wait_for_messages(3) == [("t", b"1")] * 3
        await asyncio.to_thread(own_redis.cli, "ACL", "SETUSER", "default", "-publish")
        await publish_in_ticks(first, 3)
        await first.aclose()
        assert first.counts.refused == 3


async def test_messages_before_the_end_are_taken(own_redis: RedisProcess) -> None:
    async with node(own_redis) as (second, heard):
        await joined(second, "t")
        async with node(own_redis) as (first, _):
            await publish_in_ticks(first, 2)
            first.publish("t", b"last")
        assert await heard.wait_for_messages(3) == [("t", b"1"), ("t", b"1"), ("t", b"last")]
