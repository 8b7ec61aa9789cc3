"""Faults of nodes, of the network and of the broker, with half of the clients replaced meanwhile."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.faults.fleet import Fleet, running_fleet
from tests.faults.node_process import TIMES
from tests.support.nats_server import NatsServerProcess
from tests.support.redis_server import RedisProcess

LONGER_THAN_THE_TIMEOUT = TIMES.node_timeout + 1


class Broker(Protocol):
    """A broker that can be restarted."""

    port: int

    def start(self) -> None:
        """Start it."""

    def kill(self) -> None:
        """End it at once."""

    def stop(self) -> None:
        """End it in order."""


@pytest.fixture(params=["redis", "nats"])
def driver(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def broker(driver: str, tmp_path: Path) -> Iterator[Broker]:
    folder = tmp_path / "broker"
    server = RedisProcess(folder) if driver == "redis" else NatsServerProcess(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def fleet(driver: str, broker: Broker, tmp_path: Path) -> AsyncIterator[Fleet]:
    async with running_fleet(tmp_path, driver, broker.port) as fleet:
        yield fleet


async def test_while_nothing_fails_nothing_is_lost(fleet: Fleet) -> None:
    await fleet.churn()
    await fleet.converged()
    await fleet.check()


async def test_a_node_is_killed_and_comes_back(fleet: Fleet, driver: str) -> None:
    node = fleet.nodes[1]
    node.send(signal.SIGKILL)
    await node.ended()
    await fleet.churn()
    await fleet.converged()
    await node.start(driver)
    await fleet.converged()
    await fleet.check()


async def test_a_node_is_stopped_for_longer_than_the_timeout(fleet: Fleet) -> None:
    node = fleet.nodes[1]
    async with fleet.outage(node):
        node.send(signal.SIGSTOP)
        await fleet.churn()
        await asyncio.sleep(LONGER_THAN_THE_TIMEOUT)
        node.send(signal.SIGCONT)
        node.whole_until = None
    await fleet.check()


@pytest.mark.parametrize("kind", ["cut", "stall"])
async def test_a_node_is_parted_from_the_broker(fleet: Fleet, kind: str) -> None:
    node = fleet.nodes[1]
    async with fleet.outage(node):
        if kind == "cut":
            node.proxy.cut()
        else:
            node.proxy.stall()
        await fleet.churn()
        await asyncio.sleep(LONGER_THAN_THE_TIMEOUT)
        node.proxy.heal()
    await fleet.check()


@pytest.mark.parametrize("end", ["kill", "stop"])
async def test_the_broker_restarts(fleet: Fleet, broker: Broker, end: str) -> None:
    async with fleet.outage():
        await asyncio.to_thread(broker.kill if end == "kill" else broker.stop)
        await fleet.churn()
        await asyncio.to_thread(broker.start)
    await fleet.check()


async def test_a_rolling_deploy_loses_nothing(fleet: Fleet, driver: str) -> None:
    for node in fleet.nodes:
        node.send(signal.SIGTERM)
        assert await node.ended() == 0
        await fleet.converged()
        await node.start(driver)
        await fleet.converged()
    await fleet.check()
