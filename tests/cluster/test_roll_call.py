"""Asking who is there."""

from __future__ import annotations

from sockudo.cluster.memory import MemoryBus
from sockudo.cluster.roll_call import roll_call
from tests.support.client import PusherClient
from tests.support.server import running_server


async def test_every_node_answers_with_what_it_has() -> None:
    bus = MemoryBus()
    async with (
        running_server(adapter=bus.adapter()) as first,
        running_server(adapter=bus.adapter()) as second,
        PusherClient(first.port) as one,
        PusherClient(second.port) as other,
        PusherClient(second.port),
    ):
        await one.subscribe("news")
        await other.subscribe("sport")
        found = await roll_call(bus.adapter(), 0.05)
        assert sorted((node.connections, node.channels) for node in found.values()) == [(1, 1), (2, 1)]
        assert all(node.version and node.process and node.host for node in found.values())


async def test_who_asks_is_not_taken_for_a_node() -> None:
    bus = MemoryBus()
    async with running_server(adapter=bus.adapter()) as server:
        assert len(await roll_call(bus.adapter(), 0.05)) == 1
        assert server.assembly.node.peers.is_alone
