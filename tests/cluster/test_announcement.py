"""Telling nodes of a change without being one of them."""

from __future__ import annotations

import pytest

from sockudo.bus.base import Inbox
from sockudo.cluster import envelope
from sockudo.cluster.announcement import announce_apps
from sockudo.cluster.state import AppChanged
from sockudo.cluster.topics import EVERYONE
from sockudo.errors import DriverError
from tests.fakes.inbox import RecordingInbox
from tests.fakes.memory_bus import MemoryAdapter, MemoryBus
from tests.servers.server import running_server


async def test_everybody_on_the_bus_is_told_of_every_app() -> None:
    bus, inbox = MemoryBus(), RecordingInbox()
    listener = bus.adapter()
    await listener.start(inbox)
    joined = listener.subscribe(EVERYONE)
    assert joined is not None
    await joined
    await announce_apps(bus.adapter(), ["one", "two"])
    assert [envelope.parse(data) for _, data in inbox.messages] == [AppChanged("one"), AppChanged("two")]


async def test_who_tells_is_not_taken_for_a_node() -> None:
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
