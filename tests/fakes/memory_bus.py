"""A bus in this process: several nodes in one event loop, for tests."""

from __future__ import annotations

import asyncio

from sockudo.bus.base import Inbox


class MemoryBus:
    """What the nodes of one process share."""

    def __init__(self) -> None:
        self.nodes: list[MemoryAdapter] = []

    def adapter(self) -> MemoryAdapter:
        """Return a place on this bus for one more node."""
        return MemoryAdapter(self)


class MemoryAdapter:
    """An `Adapter` on a `MemoryBus`. Messages arrive in a later tick, as on a real bus, and `cut` takes it off."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus
        self._topics: set[str] = set()
        self._inbox: Inbox | None = None
        self._is_cut = False
        self.dropped = 0

    @property
    def is_connected(self) -> bool:
        """Whether this node is on the bus."""
        return self._inbox is not None and not self._is_cut

    async def start(self, inbox: Inbox) -> None:
        """Join the bus."""
        self._inbox = inbox
        self._bus.nodes.append(self)

    def publish(self, topic: str, data: bytes) -> None:
        """Send `data` to every other node on `topic`."""
        if not self.is_connected:
            self.dropped += 1
            return
        loop = asyncio.get_running_loop()
        for node in self._bus.nodes:
            if node is not self and topic in node._topics and node.is_connected:
                loop.call_soon(node._arrive, topic, data)

    def subscribe(self, topic: str) -> asyncio.Future[None]:
        """Join a topic, or catch up with it; confirmed in a later tick, behind what is on its way."""
        self._topics.add(topic)
        loop = asyncio.get_running_loop()
        joined: asyncio.Future[None] = loop.create_future()
        loop.call_soon(_confirm, joined)
        return joined

    def unsubscribe(self, topic: str) -> None:
        """Leave a topic."""
        self._topics.discard(topic)

    async def aclose(self) -> None:
        """Leave the bus."""
        # What was published goes out with the ticks of the event loop.
        await asyncio.sleep(0)
        if self in self._bus.nodes:
            self._bus.nodes.remove(self)
        self._inbox = None

    def cut(self) -> None:
        """Take the node off the bus, as a broken network would."""
        self._is_cut = True
        if self._inbox is not None:
            self._inbox.lost("cut")

    def mend(self) -> None:
        """Put the node back."""
        self._is_cut = False
        if self._inbox is not None:
            self._inbox.restored()

    def _arrive(self, topic: str, data: bytes) -> None:
        if self._inbox is not None and not self._is_cut:
            self._inbox.received(topic, data)


def _confirm(joined: asyncio.Future[None]) -> None:
    if not joined.done():
        joined.set_result(None)
