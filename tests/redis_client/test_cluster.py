"""The client of a Redis Cluster when slots move and servers die or hang."""

from __future__ import annotations

import asyncio
import socket

import pytest

from sockudo.errors import DriverError
from sockudo.redis_client.client import redis_client
from sockudo.redis_client.options import RedisNodes, RedisTiming
from sockudo.redis_client.request import RedisLost
from sockudo.redis_client.slots import fetch_map, seeds_of
from tests.redis_client.clients import IMPATIENT, lost, started, until, works
from tests.servers.ports import free_port
from tests.servers.redis_cluster import RedisClusterProcesses
from tests.servers.redis_server import RedisProcess

SETTING = "database.redis.cluster_nodes"
KEY = "{topic}:key"


async def test_commands_follow_a_slot_that_moves_in_their_order(own_redis_cluster: RedisClusterProcesses) -> None:
    cluster = own_redis_cluster
    async with started(RedisNodes(cluster.urls, SETTING), RedisTiming()) as client:
        source = await asyncio.to_thread(cluster.master_of, KEY)
        others = [node for node in cluster.nodes if node is not source]
        target = next(node for node in others if "master" in node.cli("ROLE").splitlines()[0])
        await asyncio.to_thread(cluster.move_slot, KEY, target)
        key = KEY.encode()
        for number in range(100):
            client.call(b"SET", key, b"%d" % number)
        assert await client.call(b"GET", key) == b"99"


async def test_a_migrating_slot_is_asked_where_the_key_is(own_redis_cluster: RedisClusterProcesses) -> None:
    cluster = own_redis_cluster
    async with started(RedisNodes(cluster.urls, SETTING), RedisTiming()) as client:
        key = KEY.encode()
        source = await asyncio.to_thread(cluster.master_of, KEY)
        target = next(
            node for node in cluster.nodes if node is not source and "master" in node.cli("ROLE").splitlines()[0]
        )
        slot = source.cli("CLUSTER", "KEYSLOT", KEY)
        target.cli("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.cli("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)
        # A key that the old server does not have is made at the new one.
        assert await client.call(b"SET", key, b"new") == b"OK"
        assert await client.call(b"GET", key) == b"new"
        assert source.cli("CLUSTER", "COUNTKEYSINSLOT", slot) == "0"


async def test_a_master_that_dies_loses_only_its_own_keys(
    own_redis_cluster: RedisClusterProcesses,
) -> None:
    cluster = own_redis_cluster
    async with started(RedisNodes(cluster.urls, SETTING)) as client:
        master = await asyncio.to_thread(cluster.master_of, KEY)
        other = await other_key(cluster, master)
        await client.call(b"SET", KEY.encode(), b"v")
        await asyncio.to_thread(master.cli, "WAIT", "1", "5000")
        master.kill()
        await until(lambda: lost(client))
        assert await client.call(b"SET", other, b"v") == b"OK"
        with pytest.raises(DriverError, match=SETTING):
            await client.call(b"GET", KEY.encode())
        await until(lambda: works(client), 60)
        assert await client.call(b"SET", KEY.encode(), b"after") == b"OK"


async def test_a_master_that_hangs_holds_up_its_own_keys_only(own_redis_cluster: RedisClusterProcesses) -> None:
    cluster = own_redis_cluster
    async with started(RedisNodes(cluster.urls, SETTING)) as client:
        master = await asyncio.to_thread(cluster.master_of, KEY)
        other = await other_key(cluster, master)
        master.pause()
        try:
            hanging = client.call(b"GET", KEY.encode())
            assert await client.call(b"SET", other, b"v") == b"OK"
            assert not hanging.done()
            with pytest.raises(RedisLost, match=r"no answer in 0\.3 s"):
                await hanging
        finally:
            master.resume()
        await until(lambda: works(client), 60)


async def test_a_failover_is_followed_while_the_old_master_still_hangs(
    own_redis_cluster: RedisClusterProcesses,
) -> None:
    cluster = own_redis_cluster
    # A look at the map that waits for the server that hangs would take longer than the test.
    patient = RedisTiming(connect_timeout=120, probe_interval=0.1, answer_timeout=0.3)
    async with started(RedisNodes(cluster.urls, SETTING), patient) as client:
        master = await asyncio.to_thread(cluster.master_of, KEY)
        master.pause()
        try:
            await until(lambda: lost(client))
            await until(lambda: works(client), 60)
            assert await client.call(b"SET", KEY.encode(), b"after") == b"OK"
        finally:
            master.resume()


async def test_a_map_needs_no_answer_of_a_server_that_hangs(redis_cluster: RedisClusterProcesses) -> None:
    # The system accepts connections to it; nobody reads them.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        urls = (f"redis://127.0.0.1:{silent.getsockname()[1]}", redis_cluster.urls[0])
        async with asyncio.timeout(30):
            found = await fetch_map(seeds_of(RedisNodes(urls, SETTING)), RedisTiming(connect_timeout=120))
    assert len(found.masters) == 3


async def test_a_cluster_that_refuses_all_keys_is_lost_and_retried(
    own_redis_cluster: RedisClusterProcesses,
) -> None:
    cluster = own_redis_cluster
    async with started(RedisNodes(cluster.urls, SETTING)) as client:
        restored = asyncio.Event()
        master = await asyncio.to_thread(cluster.master_of, KEY)
        other = await other_key(cluster, master)
        (await asyncio.to_thread(cluster.replica_of, master)).kill()
        master.kill()

        async def is_refused() -> bool:
            try:
                await client.call(b"SET", other, b"v")
            except RedisLost:
                return True
            return False

        # By default a cluster without one master serves no key, as soon as its servers agree on that.
        await until(is_refused)
        client.on_restored = restored.set
        await asyncio.wait_for(restored.wait(), 10)
        await asyncio.to_thread(master.start)
        await until(lambda: works(client), 60)

        async def is_taken() -> bool:
            return not await is_refused()

        await until(is_taken, 60)


async def other_key(cluster: RedisClusterProcesses, master: RedisProcess) -> bytes:
    """Return a key that another master serves."""
    for number in range(1000):
        name = f"other:{number}"
        if await asyncio.to_thread(cluster.master_of, name) is not master:
            return name.encode()
    raise AssertionError("one master serves everything")


async def test_an_absent_cluster_is_named_by_its_setting(redis_server: RedisProcess) -> None:
    for url in (f"redis://127.0.0.1:{free_port()}", redis_server.url):
        client = redis_client(RedisNodes((url,), SETTING), IMPATIENT)
        with pytest.raises(DriverError, match=SETTING):
            await client.start()
        await client.aclose()
