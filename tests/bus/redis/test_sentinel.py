"""The bus follows the master that sentinels name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sockudo.bus.redis.adapter import RedisAdapter
from sockudo.bus.redis.options import RedisOptions
from sockudo.config.sections.adapter import RedisAdapterSettings
from sockudo.errors import DriverError
from sockudo.redis_client.options import RedisTarget, RedisTiming, Sentinels
from tests.contracts.adapter import joined
from tests.fakes.inbox import RecordingInbox
from tests.servers.redis_sentinel import MASTER_NAME, SENTINEL_PASSWORD, SentinelGroup
from tests.servers.redis_server import PASSWORD

IMPATIENT = RedisTiming(connect_timeout=2, probe_interval=0.1, probes=5)


def adapter_of(
    group: SentinelGroup, name: str = MASTER_NAME, secret: str = SENTINEL_PASSWORD, password: str = PASSWORD
) -> RedisAdapter:
    sentinels = Sentinels(group.hosts, name, password=secret)
    target = RedisTarget(setting="database.redis.sentinels", password=password, sentinels=sentinels)
    return RedisAdapter(RedisOptions(RedisAdapterSettings(), target, timing=IMPATIENT))


@asynccontextmanager
async def two_nodes(group: SentinelGroup) -> AsyncIterator[list[tuple[RedisAdapter, RecordingInbox]]]:
    nodes = [(adapter_of(group), RecordingInbox()) for _ in range(2)]
    try:
        for adapter, inbox in nodes:
            await adapter.start(inbox)
        yield nodes
    finally:
        for adapter, _ in nodes:
            await adapter.aclose()


async def restored(inbox: RecordingInbox) -> None:
    """Sentinels take their time to agree."""
    async with asyncio.timeout(30):
        while not inbox.restorations:
            try:
                await inbox.wait_for_restoration()
            except TimeoutError:
                continue


async def test_the_bus_moves_on_when_its_master_dies(sentinel_group: SentinelGroup) -> None:
    async with two_nodes(sentinel_group) as nodes:
        (first, lost), (second, heard) = nodes
        await joined(second, "t")
        first.publish("t", b"before")
        await heard.wait_for_messages(1)
        sentinel_group.master.kill()
        await restored(lost)
        await restored(heard)
        first.publish("t", b"after")
        assert await heard.wait_for_messages(2) == [("t", b"before"), ("t", b"after")]
        assert "role:master" in await asyncio.to_thread(sentinel_group.replica.cli, "INFO", "replication")
        assert [(len(inbox.losses), inbox.restorations) for _, inbox in nodes] == [(1, 1), (1, 1)]


async def test_a_master_that_became_a_replica_is_left(sentinel_group: SentinelGroup) -> None:
    async with two_nodes(sentinel_group) as nodes:
        (first, lost), (second, heard) = nodes
        await joined(second, "t")
        # Done by hand, it cuts no connection, as a sentinel's failover would.
        await asyncio.to_thread(sentinel_group.master.cli, "REPLICAOF", "127.0.0.1", str(sentinel_group.replica.port))
        await lost.wait_for_loss()
        assert lost.losses[0].endswith("it is not a master")
        await asyncio.to_thread(sentinel_group.sentinels[0].cli, "SENTINEL", "FAILOVER", MASTER_NAME)
        await restored(lost)
        await restored(heard)
        first.publish("t", b"after")
        assert await heard.wait_for_messages(1) == [("t", b"after")]


@pytest.mark.parametrize(
    ("name", "secret", "password", "problem"),
    [
        ("another", SENTINEL_PASSWORD, PASSWORD, "it knows no master called another"),
        (MASTER_NAME, "wrong-secret", PASSWORD, "WRONGPASS"),
        (MASTER_NAME, SENTINEL_PASSWORD, "wrong-secret", "WRONGPASS"),
    ],
)
async def test_an_unusable_master_is_an_error_that_names_the_setting(
    name: str, secret: str, password: str, problem: str, shared_sentinel_group: SentinelGroup
) -> None:
    adapter = adapter_of(shared_sentinel_group, name, secret, password)
    with pytest.raises(DriverError) as caught:
        await adapter.start(RecordingInbox())
    assert problem in str(caught.value)
    assert "database.redis.sentinels" in str(caught.value)
    assert "wrong-secret" not in str(caught.value)
