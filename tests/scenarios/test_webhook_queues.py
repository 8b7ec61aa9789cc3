"""Webhooks whose queue is in a store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.clients.client import PusherClient
from tests.servers.nodes import Serve
from tests.servers.redis_cluster import RedisClusterProcesses
from tests.servers.redis_server import RedisProcess
from tests.servers.server import app
from tests.servers.sqs_server import SqsProcess
from tests.servers.webhook_receiver import webhook_receiver


@pytest.fixture(params=["redis", "redis-cluster", "sqs"])
def queue(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """The settings of a queue that no other test sees."""
    prefix = tmp_path_factory.mktemp("queue").name
    if request.param == "redis":
        redis: RedisProcess = request.getfixturevalue("redis_server")
        return {"driver": "redis", "redis": {"url_override": redis.url, "prefix": prefix}}
    if request.param == "sqs":
        sqs: SqsProcess = request.getfixturevalue("sqs")
        place = {"endpoint_url": sqs.url, "queue_url_prefix": f"{sqs.url}/123456789012/{prefix}-"}
        return {"driver": "sqs", "sqs": place | {"fifo": True, "wait_time_seconds": 0}}
    cluster: RedisClusterProcesses = request.getfixturevalue("redis_cluster")
    return {"driver": "redis-cluster", "redis_cluster": {"nodes": list(cluster.urls), "prefix": prefix}}


async def test_webhooks_arrive_in_order_through_a_queue_in_a_store(
    serve_alone: Serve, queue: Mapping[str, Any]
) -> None:
    async with webhook_receiver() as receiver:
        webhook = {"url": f"http://127.0.0.1:{receiver.port}/", "event_types": ["channel_occupied", "channel_vacated"]}
        async with serve_alone(app(webhooks=[webhook]), queue=queue, webhooks={"hold_ms": 0}) as server:
            async with PusherClient(server.port) as client:
                await client.subscribe("news")
                await receiver.expect("channel_occupied news")
            await receiver.expect("channel_occupied news", "channel_vacated news")
