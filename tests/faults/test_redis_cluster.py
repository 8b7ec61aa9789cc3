"""A master of a Redis Cluster fails under load, its replica takes over, and it comes back as a replica."""

from __future__ import annotations

import asyncio
from typing import Final

import pytest

from sockudo.cluster.topics import EVERYONE, channel_topic
from tests.faults.buses import Bus
from tests.faults.fleet import Cluster
from tests.faults.load import APP_ID, CHANNELS
from tests.servers.processes import wait_until
from tests.servers.redis_cluster import ClusterNode, RedisClusterProcesses

# Nodes count as dead after 1.5 s of silence, and clients as slow: three of them and a broker need both cores.
pytestmark = pytest.mark.alone

_PREFIX: Final = "sockudo_cluster:"
_TOPICS: Final = {name: channel_topic(APP_ID, name) for name in CHANNELS}


def take_over(brokers: RedisClusterProcesses, master: ClusterNode) -> None:
    """Kill a master; return when its replica serves its slots, and every server that lives knows it."""
    replica = brokers.replica_of(master)
    alive = [node for node in brokers.nodes if node is not master]
    master.kill()
    wait_until(lambda: replica.cli("ROLE").startswith("master"), "the replica takes over")
    wait_until(lambda: all("cluster_state:ok" in node.cli("CLUSTER", "INFO") for node in alive), "the cluster is well")


@pytest.mark.parametrize("bus", ["redis-cluster"], indirect=True)
@pytest.mark.parametrize("topic", [EVERYONE, _TOPICS["news"]], ids=["state", "events"])
async def test_a_master_fails_and_comes_back(cluster: Cluster, bus: Bus, topic: str) -> None:
    brokers = bus.broker
    assert isinstance(brokers, RedisClusterProcesses)
    master = await asyncio.to_thread(brokers.master_of, _PREFIX + topic)
    served = {name: await asyncio.to_thread(brokers.master_of, _PREFIX + topic) for name, topic in _TOPICS.items()}
    # What goes over the other masters goes on.
    async with cluster.outage(events_of=[name for name, server in served.items() if server is master]):
        failing = asyncio.create_task(asyncio.to_thread(take_over, brokers, master))
        await cluster.churn()
        await failing
    await cluster.published(50)
    # It comes back in the second half: nothing may be noticed of that.
    await asyncio.to_thread(master.start)
    await asyncio.to_thread(brokers.wait_until_whole)
    await cluster.churn()
    await cluster.converged()
    await cluster.check()
