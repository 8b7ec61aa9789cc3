"""The bus in memory keeps the contract of every adapter."""

from __future__ import annotations

import pytest

from sockudo.bus.base import Adapter
from tests.contracts.adapter import AdapterContract, joined
from tests.fakes.inbox import RecordingInbox
from tests.fakes.memory_bus import MemoryAdapter, MemoryBus


class TestMemoryAdapter(AdapterContract):
    @pytest.fixture
    def adapters(self) -> list[Adapter]:
        bus = MemoryBus()
        return [bus.adapter() for _ in range(3)]


async def test_a_node_that_is_cut_off_hears_nothing_until_mended() -> None:
    bus = MemoryBus()
    first, second = MemoryAdapter(bus), MemoryAdapter(bus)
    heard = RecordingInbox()
    await first.start(RecordingInbox())
    await second.start(heard)
    await joined(second, "t")
    second.cut()
    first.publish("t", b"1")
    second.publish("t", b"2")
    second.mend()
    first.publish("t", b"3")
    assert await heard.wait_for_messages(1) == [("t", b"3")]
    assert (heard.losses, heard.restorations, second.dropped) == (["cut"], 1, 1)
