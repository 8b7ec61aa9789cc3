"""What every adapter must do when its bus dies, freezes and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from sockudo.bus.base import Adapter
from tests.contracts.adapter import joined
from tests.fakes.inbox import RecordingInbox
from tests.servers.broker_process import BrokerProcess

Nodes = list[tuple[Adapter, RecordingInbox]]


class AdapterFaultContract:
    """Subclass it for a driver; give `server`, a started one of this test's own, and `adapters`, two on it.

    Both must note a bus that is silent within a few seconds.
    """

    @pytest.fixture
    def server(self) -> BrokerProcess:
        raise NotImplementedError

    @pytest.fixture
    def adapters(self, server: BrokerProcess) -> list[Adapter]:
        raise NotImplementedError

    @pytest.fixture
    async def nodes(self, adapters: list[Adapter]) -> AsyncIterator[Nodes]:
        """Two started nodes; the second has joined "t"."""
        nodes = [(adapter, RecordingInbox()) for adapter in adapters]
        for adapter, inbox in nodes:
            await adapter.start(inbox)
        await joined(nodes[1][0], "t")
        yield nodes
        for adapter, _ in nodes:
            await adapter.aclose()

    async def test_a_bus_that_died_is_told_once_and_its_topics_are_joined_again(
        self, server: BrokerProcess, nodes: Nodes
    ) -> None:
        (first, _), (second, heard) = nodes
        await joined(second, "u")
        await lose(server.kill, nodes)
        assert not first.is_connected
        assert not second.is_connected
        await restore(server.start, nodes)
        assert first.is_connected
        assert second.is_connected
        for topic in ("t", "u"):
            first.publish(topic, b"1")
        assert sorted(await heard.wait_for_messages(2)) == [("t", b"1"), ("u", b"1")]
        assert [(len(inbox.losses), inbox.restorations) for _, inbox in nodes] == [(1, 1), (1, 1)]
        assert all(heard.losses)

    async def test_a_bus_that_froze_is_lost_and_used_again_when_it_goes_on(
        self, server: BrokerProcess, nodes: Nodes
    ) -> None:
        (first, _), (_, heard) = nodes
        await lose(server.freeze, nodes)
        await restore(server.thaw, nodes)
        first.publish("t", b"1")
        assert (await heard.wait_for_messages(1))[-1] == ("t", b"1")

    async def test_topics_may_be_joined_and_left_while_the_bus_is_lost(
        self, server: BrokerProcess, nodes: Nodes
    ) -> None:
        (first, _), (second, heard) = nodes
        await lose(server.kill, nodes)
        for topic in ("new", "new", "t"):
            confirmed = second.subscribe(topic)
            assert confirmed is not None
            assert confirmed.done()
        second.unsubscribe("t")
        await restore(server.start, nodes)
        for topic in ("t", "new"):
            first.publish(topic, b"1")
        assert await heard.wait_for_messages(1) == [("new", b"1")]

    async def test_joining_is_confirmed_when_the_bus_is_lost_meanwhile(
        self, server: BrokerProcess, nodes: Nodes
    ) -> None:
        second = nodes[1][0]
        server.freeze()
        asked = [one for one in (second.subscribe("new"), second.subscribe("t")) if one is not None]
        assert [one.done() for one in asked] == [False, False]
        await asyncio.wait_for(asyncio.gather(*asked), 10)
        await restore(server.thaw, nodes)

    async def test_what_was_published_while_the_bus_was_lost_never_arrives(
        self, server: BrokerProcess, nodes: Nodes
    ) -> None:
        (first, _), (_, heard) = nodes
        await lose(server.kill, nodes)
        for _ in range(10):
            first.publish("t", b"stale")
        await restore(server.start, nodes)
        first.publish("t", b"fresh")
        assert await heard.wait_for_messages(1) == [("t", b"fresh")]
        assert getattr(first, "dropped") == 10  # noqa: B009  # every driver counts, and the interface does not say so

    async def test_messages_are_neither_doubled_nor_reordered_by_losses(
        self, server: BrokerProcess, nodes: Nodes
    ) -> None:
        (first, _), (_, heard) = nodes
        published = 0

        async def publish() -> None:
            nonlocal published
            while True:
                for _ in range(5):
                    first.publish("t", b"%d" % published)
                    published += 1
                await asyncio.sleep(0.001)

        publishing = asyncio.create_task(publish())
        await heard.wait_for_messages(50)
        await lose(server.freeze, nodes)
        await restore(server.thaw, nodes)
        await heard.wait_for_messages(len(heard.messages) + 50)
        await lose(server.kill, nodes)
        await restore(server.start, nodes)
        await heard.wait_for_messages(len(heard.messages) + 50)
        publishing.cancel()
        await asyncio.wait([publishing])
        numbers = [int(data) for _, data in heard.messages]
        assert numbers == sorted(set(numbers))

    async def test_closing_does_not_wait_for_a_bus_that_is_lost(self, server: BrokerProcess, nodes: Nodes) -> None:
        await lose(server.kill, nodes)
        for adapter, _ in nodes:
            await asyncio.wait_for(adapter.aclose(), 2)
            assert not adapter.is_connected


async def lose(action: Callable[[], None], nodes: Nodes) -> None:
    """Do something to the server and wait until every node has noted that the bus is gone."""
    counts = [len(inbox.losses) for _, inbox in nodes]
    await asyncio.to_thread(action)
    for (_, inbox), count in zip(nodes, counts, strict=True):
        await inbox.wait_for_loss(count + 1)


async def restore(action: Callable[[], None], nodes: Nodes) -> None:
    """Do something to the server and wait until every node that lost the bus has it back."""
    await asyncio.to_thread(action)
    for _, inbox in nodes:
        await inbox.wait_for_restoration(len(inbox.losses))
