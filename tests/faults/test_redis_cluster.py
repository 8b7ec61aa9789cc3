"""A master of a Redis Cluster fails under load: its own topics suffer, and nothing else does."""

from __future__ import annotations

import asyncio
from typing import Final

import pytest

from sockudo.cluster.messages.topics import EVERYONE, channel_topic
from tests.faults.buses import Bus
from tests.faults.fleet import LONGER_THAN_THE_TIMEOUT, Cluster
from tests.faults.load import APP_ID, CHANNELS
from tests.servers.processes import wait_until
from tests.servers.redis_cluster import ClusterNode, RedisClusterProcesses

# Nodes count as dead after 1.5 s of silence, and clients as slow: three of them and a broker need both cores.
pytestmark = pytest.mark.alone

_PREFIX: Final = "sockudo_cluster:"
_TOPICS: Final = {name: channel_topic(APP_ID, name) for name in CHANNELS}
# All nodes hear each other's signs of life over the master of the first one.
_STATE, _EVENTS = "news", "private-a"


def take_over(brokers: RedisClusterProcesses, master: ClusterNode) -> None:
    """Kill a master; return when its replica serves its slots, and every server that lives knows it."""
    replica = brokers.replica_of(master)
    alive = [node for node in brokers.nodes if node is not master]
    master.kill()
    wait_until(lambda: replica.cli("ROLE").startswith("master"), "the replica takes over")
    wait_until(lambda: all("cluster_state:ok" in node.cli("CLUSTER", "INFO") for node in alive), "the cluster is well")


def prepare(bus: Bus, full_coverage: str, of: str) -> tuple[RedisClusterProcesses, ClusterNode, list[str]]:
    """Return the cluster, the master of a channel, and the channels that are on it and on no other."""
    brokers = bus.broker
    assert isinstance(brokers, RedisClusterProcesses)
    for node in brokers.nodes:
        node.cli("CONFIG", "SET", "cluster-require-full-coverage", full_coverage)
    masters = {name: brokers.master_of(_PREFIX + topic) for name, topic in _TOPICS.items()}
    assert len(set(masters.values())) == len(masters), "each channel is on a master of its own"
    assert brokers.master_of(_PREFIX + EVERYONE) is masters[_STATE]
    return brokers, masters[of], [of]


@pytest.mark.parametrize("bus", ["redis-cluster"], indirect=True)
@pytest.mark.parametrize(("channel", "full_coverage"), [(_STATE, "no"), (_STATE, "yes"), (_EVENTS, "no")])
async def test_a_failover_of_a_master_loses_only_its_own_events(
    cluster: Cluster, bus: Bus, channel: str, full_coverage: str
) -> None:
    brokers, master, lossy = await asyncio.to_thread(prepare, bus, full_coverage, channel)
    async with cluster.outage(events_of=lossy):
        failing = asyncio.create_task(asyncio.to_thread(take_over, brokers, master))
        await cluster.churn()
        await failing
    await cluster.published(50)
    # The old master comes back as a replica; nobody may notice.
    await asyncio.to_thread(master.start)
    await asyncio.to_thread(brokers.wait_until_whole)
    await cluster.churn()
    await cluster.converged()
    await cluster.check()


@pytest.mark.parametrize("bus", ["redis-cluster"], indirect=True)
@pytest.mark.parametrize("full_coverage", ["no", "yes"])
async def test_nodes_that_cannot_hear_each_other_deliver_over_living_masters(
    cluster: Cluster, bus: Bus, full_coverage: str
) -> None:
    brokers, master, lossy = await asyncio.to_thread(prepare, bus, full_coverage, _STATE)
    replica = await asyncio.to_thread(brokers.replica_of, master)
    async with cluster.outage(events_of=lossy):
        replica.kill()
        master.kill()
        await cluster.churn()
        # Every node takes every other for dead by then.
        await asyncio.sleep(LONGER_THAN_THE_TIMEOUT)
        await cluster.published(50)
        await asyncio.to_thread(master.start)
    await asyncio.to_thread(replica.start)
    await cluster.check()
