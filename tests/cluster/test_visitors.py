"""Asking and telling nodes without being one of them."""

from __future__ import annotations

import asyncio

import pytest

from sockudo.bus.base import Inbox
from sockudo.cluster.messages import envelope
from sockudo.cluster.messages.state import AppChanged
from sockudo.cluster.messages.topics import EVERYONE
from sockudo.cluster.nodes import MOST_NODES
from sockudo.cluster.visitors import announce_apps, roll_call
from sockudo.errors import DriverError
from tests.clients.client import PusherClient
from tests.fakes.hostile_bus import Deaf, heartbeat
from tests.fakes.inbox import RecordingInbox
from tests.fakes.memory_bus import MemoryAdapter, MemoryBus
from tests.servers.server import running_server


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


async def test_malformed_answers_and_too_many_nodes_stop_no_roll_call() -> None:
    bus = MemoryBus()
    stranger, asked = bus.adapter(), asyncio.Event()
    listening = Deaf()
    listening.received = lambda topic, data: asked.set()  # type: ignore[method-assign]  # to hear the question
    await stranger.start(listening)
    await stranger.subscribe(EVERYONE)
    asking = asyncio.ensure_future(roll_call(bus.adapter(), 0.2))
    await asked.wait()
    header = envelope.header(envelope.HEARTBEAT, "00000000000000ee")
    for data in (b"", b"\3", header, header + b"\x9b\xa1\xff", header + b"\x91" * 100_000):
        stranger.publish(EVERYONE, data)
    for number in range(MOST_NODES + 10):
        stranger.publish(EVERYONE, heartbeat(f"{number:016x}"))
    assert len(await asking) == MOST_NODES


async def test_everybody_on_the_bus_is_told_of_every_app() -> None:
    bus, inbox = MemoryBus(), RecordingInbox()
    listener = bus.adapter()
    await listener.start(inbox)
    joined = listener.subscribe(EVERYONE)
    assert joined is not None
    await joined
    await announce_apps(bus.adapter(), ["one", "two"])
    assert [envelope.parse(data) for _, data in inbox.messages] == [AppChanged("one"), AppChanged("two")]


async def test_who_announces_is_not_taken_for_a_node() -> None:
    bus = MemoryBus()
    async with running_server(adapter=bus.adapter()) as server:
        await announce_apps(bus.adapter(), ["app"])
        assert server.assembly.node.peers.is_alone
        assert len(bus.nodes) == 1


async def test_a_bus_that_cannot_be_used_is_an_error() -> None:
    class Broken(MemoryAdapter):
        async def start(self, inbox: Inbox) -> None:
            raise DriverError("no bus")

    with pytest.raises(DriverError, match="no bus"):
        await announce_apps(Broken(MemoryBus()), ["app"])
