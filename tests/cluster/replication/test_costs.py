"""What an event costs: a node without subscribers of its channel hears nothing of it, whatever the bus is."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from sockudo.bus.base import Adapter
from sockudo.bus.workers.adapter import IpcAdapter
from sockudo.cluster.messages.topics import channel_topic
from tests.clients.client import ApiClient, PusherClient
from tests.fakes.counting import CountingAdapter
from tests.fakes.memory_bus import MemoryBus
from tests.servers.nodes import COUNT, Nodes, adapters_of, cluster_of, running_nodes, with_barrier
from tests.servers.redis_cluster import RedisClusterProcesses
from tests.servers.redis_server import RedisProcess
from tests.servers.server import APP_ID, RunningServer
from tests.servers.topologies import BROKERS, adapter_settings

EVENTS = 50
NEWS, NOBODYS = channel_topic(APP_ID, "news"), channel_topic(APP_ID, "nobodys")


@dataclass(frozen=True)
class Costs:
    """Three nodes, and what each has published and received."""

    servers: list[RunningServer]
    adapters: list[CountingAdapter]

    @property
    def nodes(self) -> Nodes:
        """The nodes as scenarios see them."""
        return Nodes(*(server.port for server in self.servers))

    def published(self, topic: str) -> list[int]:
        """How often each node has published to a topic."""
        return [adapter.published[topic] for adapter in self.adapters]

    def received(self, topic: str) -> list[int]:
        """How often each node has received a message of a topic."""
        return [adapter.received_on[topic] for adapter in self.adapters]

    def events_received(self) -> list[int]:
        """How many events each node has counted as received."""
        return [cluster_of(server).counters.events_received for server in self.servers]

    async def post(self, node: int, channel: str) -> None:
        """Publish events through a node."""
        api = ApiClient(self.servers[node].port)
        for number in range(EVENTS):
            await api.trigger(channel, number)


def _adapters(bus: str, request: pytest.FixtureRequest) -> list[Adapter]:
    if bus == "memory":
        memory = MemoryBus()
        return [memory.adapter() for _ in range(COUNT)]
    if bus == "ipc":
        directory: Path = request.getfixturevalue("socket_directory")
        return [IpcAdapter(directory, index) for index in range(COUNT)]
    return adapters_of(adapter_settings(bus, request))


@pytest.fixture(params=["memory", "ipc", *BROKERS])
async def costs(request: pytest.FixtureRequest) -> AsyncIterator[Costs]:
    """Three nodes on each bus."""
    async with counted(_adapters(request.param, request)) as costs:
        yield costs


@contextlib.asynccontextmanager
async def counted(adapters: Sequence[Adapter]) -> AsyncIterator[Costs]:
    """Run a node on each of these adapters, and count."""
    counting = [CountingAdapter(adapter) for adapter in adapters]
    async with running_nodes(counting, *with_barrier(())) as servers:
        yield Costs(servers, counting)


@contextlib.asynccontextmanager
async def subscriber(costs: Costs) -> AsyncIterator[PusherClient]:
    """The only subscriber of `news`, on the first node."""
    async with PusherClient(costs.servers[0].port) as client:
        await client.subscribe("news")
        await costs.nodes.settled()
        yield client


async def heard(client: PusherClient) -> None:
    """Check that a client gets every event, once and in order."""
    assert [(await client.expect("event"))["data"] for _ in range(EVENTS)] == [str(n) for n in range(EVENTS)]


async def test_events_of_the_only_node_with_subscribers_stay_there(costs: Costs) -> None:
    async with subscriber(costs) as client:
        await costs.post(0, "news")
        await heard(client)
        await costs.nodes.settled()
        # One publish for each, of which the bus makes nothing.
        assert costs.published(NEWS) == [EVENTS, 0, 0]
        assert costs.received(NEWS)[1:] == [0, 0]
        assert costs.events_received()[1:] == [0, 0]


async def test_events_of_another_node_reach_only_the_one_with_subscribers(costs: Costs) -> None:
    async with subscriber(costs) as client:
        await costs.post(1, "news")
        await heard(client)
        await costs.nodes.settled()
        await client.expect_nothing()
        assert costs.published(NEWS) == [0, EVENTS, 0]
        assert costs.received(NEWS) == [EVENTS, 0, 0]
        assert costs.events_received() == [EVENTS, 0, 0]


async def test_events_that_nobody_waits_for_reach_no_node(costs: Costs) -> None:
    async with subscriber(costs):
        await costs.post(2, "nobodys")
        await costs.nodes.settled()
        assert costs.published(NOBODYS) == [0, 0, EVENTS]
        assert costs.received(NOBODYS) == [0, 0, 0]
        assert costs.events_received() == [0, 0, 0]


async def test_redis_has_one_subscriber_for_each_interested_node(
    redis_server: RedisProcess, request: pytest.FixtureRequest
) -> None:
    section = adapter_settings("redis", request)
    name = section["redis"]["prefix"] + NEWS
    async with counted(adapters_of(section)) as costs:
        assert redis_server.cli("PUBSUB", "NUMSUB", name).split() == [name, "0"]
        async with subscriber(costs):
            assert redis_server.cli("PUBSUB", "NUMSUB", name).split() == [name, "1"]


async def test_a_redis_cluster_has_one_subscriber_for_each_interested_node(
    redis_cluster: RedisClusterProcesses, request: pytest.FixtureRequest
) -> None:
    section = adapter_settings("redis-cluster", request)
    name = section["cluster"]["prefix"] + NEWS
    master = redis_cluster.master_of(name)
    async with counted(adapters_of(section)) as costs, subscriber(costs):
        assert master.cli("PUBSUB", "SHARDNUMSUB", name).split() == [name, "1"]
