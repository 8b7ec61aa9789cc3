"""The queue in a Redis Cluster keeps the contract, is spread over its masters, and survives the loss of one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from sockudo.queues.redis.cluster import RedisClusterQueue
from sockudo.queues.redis.shard import shard_of
from sockudo.redis_client.options import RedisNodes
from sockudo.timing.clock import LoopClock
from tests.contracts.queue import JOBS, MakeQueue, SharedQueueContract, settled
from tests.fakes.jobs import RecordingHandler
from tests.queues.redis.test_queue import queues_at
from tests.servers.queue_process import options_for
from tests.servers.redis_cluster import RedisClusterProcesses

PREFIX = "sockudo_queue_cluster:"


class TestRedisClusterQueue(SharedQueueContract):
    @pytest.fixture
    async def make_queue(self, redis_cluster: RedisClusterProcesses) -> AsyncIterator[MakeQueue]:
        async with queues_at(RedisNodes(redis_cluster.urls), RedisClusterQueue) as make_queue:
            yield make_queue


def test_lanes_are_spread_and_stay_where_they_are() -> None:
    lanes = [f"app:{number}" for number in range(1000)]
    sizes = [sum(shard_of(lane, 16) == number for lane in lanes) for number in range(16)]
    assert min(sizes) > 30
    # A part of the format: another number would leave jobs where nobody looks.
    assert [shard_of(lane, 16) for lane in ("app:1", "\N{SNOWMAN}", "")] == [15, 4, 0]


async def test_a_lost_master_holds_up_only_its_own_lanes(
    own_redis_cluster: RedisClusterProcesses,
) -> None:
    nodes = RedisNodes(own_redis_cluster.urls)
    options = replace(options_for("", PREFIX), place=nodes)
    handler, lanes = RecordingHandler(), [f"lane{number}" for number in range(24)]
    queue = RedisClusterQueue(LoopClock(asyncio.get_running_loop()), options)
    await queue.start(handler)
    await asyncio.gather(*(queue.push(lane, job) for job in JOBS[:5] for lane in lanes))
    await handler.wait_for(5 * len(lanes))
    await settled(queue)
    victim = await asyncio.to_thread(own_redis_cluster.master_of, f"{PREFIX}:queue:webhooks:{{0}}:lanes")
    masters = {
        lane: await asyncio.to_thread(
            own_redis_cluster.master_of, f"{PREFIX}:queue:webhooks:{{{shard_of(lane, 16)}}}:lanes"
        )
        for lane in lanes
    }
    assert len({master.port for master in masters.values()}) == 3
    victim.kill()
    waiting = {lane: [queue.push(lane, job) for job in JOBS[5:10]] for lane in lanes}
    alive = [lane for lane in lanes if masters[lane] is not victim]
    await asyncio.gather(*(future for lane in alive for future in waiting[lane]))
    assert not any(future.done() for lane in lanes if lane not in alive for future in waiting[lane])
    await asyncio.wait_for(asyncio.gather(*(future for lane in lanes for future in waiting[lane])), 30)
    await handler.wait_for(10 * len(lanes))
    for lane in lanes:
        assert handler.jobs(lane) == JOBS[:10]
    assert (await settled(queue)).lost == 0
    await queue.aclose()
