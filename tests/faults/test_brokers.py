"""Faults of nodes, of the network and of the broker, with half of the clients replaced meanwhile."""

from __future__ import annotations

import asyncio
import shutil
import signal

import pytest

from tests.faults.buses import BEHIND_A_PROXY, BUSES, Bus
from tests.faults.fleet import LONGER_THAN_THE_TIMEOUT, Cluster

# Nodes count as dead after 1.5 s of silence, and clients as slow: three of them and a broker need both cores.
pytestmark = pytest.mark.alone

on_every_bus = pytest.mark.parametrize("bus", BUSES, indirect=True)
behind_a_proxy = pytest.mark.parametrize("bus", BEHIND_A_PROXY, indirect=True)


@on_every_bus
async def test_while_nothing_fails_nothing_is_lost(cluster: Cluster) -> None:
    await cluster.churn()
    await cluster.converged()
    await cluster.check()


@on_every_bus
async def test_a_node_is_killed_and_comes_back(cluster: Cluster) -> None:
    node = cluster.nodes[1]
    node.send(signal.SIGKILL)
    cluster.killed(node.process)
    await node.ended()
    await cluster.churn()
    await cluster.converged()
    await node.start()
    await cluster.converged()
    await cluster.check()


@on_every_bus
async def test_a_node_is_stopped_for_longer_than_the_timeout(cluster: Cluster) -> None:
    node = cluster.nodes[1]
    async with cluster.outage(node.process):
        node.send(signal.SIGSTOP)
        await cluster.churn()
        await asyncio.sleep(LONGER_THAN_THE_TIMEOUT)
        await cluster.churn()
        node.send(signal.SIGCONT)
    await cluster.check()


@behind_a_proxy
@pytest.mark.parametrize("kind", ["cut", "stall", "black hole"])
async def test_a_node_is_parted_from_the_broker(cluster: Cluster, kind: str) -> None:
    async with cluster.parted(cluster.nodes[1], kind):
        await cluster.churn()
        await asyncio.sleep(LONGER_THAN_THE_TIMEOUT)
        await cluster.churn()
    await cluster.check()


@on_every_bus
@pytest.mark.parametrize(("end", "with_data"), [("kill", True), ("stop", False)], ids=["with data", "without data"])
async def test_the_broker_restarts(cluster: Cluster, bus: Bus, end: str, *, with_data: bool) -> None:
    """The bus is stored nowhere: data is what else a broker keeps, and may have to read before it answers."""
    if bus.storage is not None:
        await bus.storage.keep()
    async with cluster.outage():
        await asyncio.to_thread(getattr(bus.broker, end))
        await cluster.churn()
        if bus.storage is not None and not with_data:
            shutil.rmtree(bus.storage.folder)
            bus.storage.folder.mkdir()
        await asyncio.to_thread(bus.broker.start)
    if bus.storage is not None:
        assert await bus.storage.has_kept() is with_data
    await cluster.check()


@on_every_bus
async def test_a_rolling_deploy_moves_every_client_and_loses_nothing(cluster: Cluster) -> None:
    for node in cluster.nodes:
        # So that much is on its way when a node leaves, and topics take a moment to join when it is back.
        node.proxy.delay = 0.05
    for node in cluster.nodes:
        await cluster.terminate(node)
        await cluster.churn()
        await cluster.converged()
        await node.start()
        await cluster.converged()
    await cluster.check()
