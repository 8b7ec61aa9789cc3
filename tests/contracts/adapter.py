"""What every adapter must do, whatever its bus is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from sockudo.bus.base import Adapter
from tests.fakes.inbox import WAIT, RecordingInbox

# Names as they really occur: every character that a channel or an app may have.
ODD_TOPIC = "t:app/1 é:ch:private-a_B-=@,.;:#x..y*>"


class AdapterContract:
    """Subclass it for a driver and give `adapters`: three that are not started, on one bus of their own."""

    @pytest.fixture
    def adapters(self) -> list[Adapter]:
        raise NotImplementedError

    @pytest.fixture
    async def nodes(self, adapters: list[Adapter]) -> AsyncIterator[list[tuple[Adapter, RecordingInbox]]]:
        """Three started nodes with their inboxes."""
        nodes = [(adapter, RecordingInbox()) for adapter in adapters]
        for adapter, inbox in nodes:
            await adapter.start(inbox)
        yield nodes
        for adapter, _ in nodes:
            await adapter.aclose()

    async def test_a_message_reaches_every_other_node_on_the_topic(
        self, nodes: list[tuple[Adapter, RecordingInbox]]
    ) -> None:
        (first, _), (second, heard2), (third, heard3) = nodes
        await joined(second, "t")
        await joined(third, "t")
        first.publish("t", b"\x00\xffdata\r\n")
        assert await heard2.wait_for_messages(1) == [("t", b"\x00\xffdata\r\n")]
        assert await heard3.wait_for_messages(1) == [("t", b"\x00\xffdata\r\n")]

    async def test_a_topic_that_was_not_joined_is_not_heard(self, nodes: list[tuple[Adapter, RecordingInbox]]) -> None:
        (first, _), (second, heard), _ = nodes
        await joined(second, "mine")
        first.publish("other", b"1")
        first.publish("mine", b"2")
        assert await heard.wait_for_messages(1) == [("mine", b"2")]

    async def test_messages_of_one_node_to_one_topic_keep_their_order(
        self, nodes: list[tuple[Adapter, RecordingInbox]]
    ) -> None:
        (first, _), (second, heard), (third, _) = nodes
        await joined(second, "t")
        for number in range(500):
            first.publish("t", b"a%d" % number)
            third.publish("t", b"b%d" % number)
            if number % 50 == 0:
                await asyncio.sleep(0)
        messages = [data for _, data in await heard.wait_for_messages(1000)]
        assert [data for data in messages if data[:1] == b"a"] == [b"a%d" % number for number in range(500)]
        assert [data for data in messages if data[:1] == b"b"] == [b"b%d" % number for number in range(500)]

    async def test_what_is_published_after_joining_is_confirmed_arrives(
        self, nodes: list[tuple[Adapter, RecordingInbox]]
    ) -> None:
        (first, _), (second, heard), _ = nodes
        for number in range(50):
            await joined(second, f"t{number}")
            first.publish(f"t{number}", b"x")
        # In whatever order: there is one within a topic only.
        assert {topic for topic, _ in await heard.wait_for_messages(50)} == {f"t{number}" for number in range(50)}

    async def test_many_topics_can_be_joined_at_once(self, nodes: list[tuple[Adapter, RecordingInbox]]) -> None:
        (first, _), (second, heard), _ = nodes
        await asyncio.gather(*(joined(second, f"t{number}") for number in range(300)))
        for number in range(300):
            first.publish(f"t{number}", b"x")
        assert {topic for topic, _ in await heard.wait_for_messages(300)} == {f"t{number}" for number in range(300)}

    async def test_who_joins_again_has_caught_up_when_that_is_confirmed(
        self, nodes: list[tuple[Adapter, RecordingInbox]]
    ) -> None:
        (first, _), (second, heard), (third, witness) = nodes
        # Of one slot in a cluster that has slots.
        long, short = "{t}long", "{t}short"
        await joined(second, long)
        await joined(third, short)
        for number in range(1, 31):
            for part in range(30):
                first.publish(long, b"%d.%d %b" % (number, part, b"x" * 20_000))
            # In another tick, so that it is sent after the others whatever they are split into.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            first.publish(short, b"")
            # The bus has taken all of it, and the second node has a lot to read.
            await witness.wait_for_messages(number)
            await joined(second, long)
            assert len(heard.messages) == 30 * number

    async def test_many_may_join_again_at_once(self, nodes: list[tuple[Adapter, RecordingInbox]]) -> None:
        (first, _), (second, heard), _ = nodes
        await asyncio.gather(*(joined(second, f"t{number}") for number in range(50)))
        asked = [second.subscribe(f"t{number}") for number in range(50) for _ in range(3)]
        # One who gives up takes nothing from the others.
        gone = asked.pop(0)
        assert gone is not None
        gone.cancel()
        await asyncio.wait_for(asyncio.gather(*(one for one in asked if one is not None)), WAIT)
        first.publish("t0", b"1")
        assert await heard.wait_for_messages(1) == [("t0", b"1")]

    async def test_closing_confirms_what_is_waited_for(self, nodes: list[tuple[Adapter, RecordingInbox]]) -> None:
        second = nodes[1][0]
        await joined(second, "t")
        asked = [second.subscribe("t")]
        await asyncio.sleep(0)
        asked += [second.subscribe("t"), second.subscribe("new")]
        await second.aclose()
        assert all(one is None or one.done() for one in asked)

    async def test_a_topic_that_was_left_is_not_heard_any_more(
        self, nodes: list[tuple[Adapter, RecordingInbox]]
    ) -> None:
        (first, _), (second, heard), _ = nodes
        await joined(second, "a")
        second.unsubscribe("a")
        await joined(second, "b")
        first.publish("a", b"1")
        first.publish("b", b"2")
        assert await heard.wait_for_messages(1) == [("b", b"2")]

    async def test_a_topic_can_be_left_and_joined_in_one_tick(
        self, nodes: list[tuple[Adapter, RecordingInbox]]
    ) -> None:
        (first, _), (second, heard), _ = nodes
        await joined(second, "t")
        second.unsubscribe("t")
        await joined(second, "t")
        first.publish("t", b"1")
        assert await heard.wait_for_messages(1) == [("t", b"1")]

    async def test_any_app_and_channel_name_can_be_a_topic(self, nodes: list[tuple[Adapter, RecordingInbox]]) -> None:
        (first, _), (second, heard), _ = nodes
        await joined(second, ODD_TOPIC)
        first.publish(ODD_TOPIC, b"1")
        first.publish(ODD_TOPIC.replace("x", "y"), b"2")
        first.publish(ODD_TOPIC, b"3")
        assert await heard.wait_for_messages(2) == [(ODD_TOPIC, b"1"), (ODD_TOPIC, b"3")]

    async def test_a_long_message_arrives_whole(self, nodes: list[tuple[Adapter, RecordingInbox]]) -> None:
        (first, _), (second, heard), _ = nodes
        await joined(second, "t")
        first.publish("t", bytes(range(256)) * 2000)
        assert await heard.wait_for_messages(1) == [("t", bytes(range(256)) * 2000)]

    async def test_what_was_published_before_closing_still_arrives(
        self, nodes: list[tuple[Adapter, RecordingInbox]]
    ) -> None:
        (first, _), (second, heard), _ = nodes
        await joined(second, "t")
        for number in range(100):
            first.publish("t", b"%d" % number)
        await first.aclose()
        assert [data for _, data in await heard.wait_for_messages(100)] == [b"%d" % number for number in range(100)]

    async def test_closing_twice_is_fine(self, nodes: list[tuple[Adapter, RecordingInbox]]) -> None:
        await nodes[0][0].aclose()
        await nodes[0][0].aclose()
        assert not nodes[0][0].is_connected

    async def test_a_started_adapter_is_connected(self, nodes: list[tuple[Adapter, RecordingInbox]]) -> None:
        assert all(adapter.is_connected for adapter, _ in nodes)


async def joined(adapter: Adapter, topic: str) -> None:
    """Join a topic and wait until it is confirmed."""
    confirmed = adapter.subscribe(topic)
    if confirmed is not None:
        await asyncio.wait_for(confirmed, WAIT)
