"""An adapter that counts what passes through it, topic by topic."""

from __future__ import annotations

import asyncio
from collections import Counter

from sockudo.bus.base import Adapter, Inbox


class CountingAdapter:
    """An `Adapter` in front of another.

    Attributes:
        published, received_on: messages by topic.
    """

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self._inbox: Inbox
        self.published: Counter[str] = Counter()
        self.received_on: Counter[str] = Counter()

    @property
    def is_connected(self) -> bool:
        """As the adapter says."""
        return self._adapter.is_connected

    async def start(self, inbox: Inbox) -> None:
        """Start the adapter, with this before the inbox."""
        self._inbox = inbox
        await self._adapter.start(self)

    def publish(self, topic: str, data: bytes) -> None:
        """Count, and pass it on."""
        self.published[topic] += 1
        self._adapter.publish(topic, data)

    def subscribe(self, topic: str) -> asyncio.Future[None] | None:
        """Pass it on."""
        return self._adapter.subscribe(topic)

    def unsubscribe(self, topic: str) -> None:
        """Pass it on."""
        self._adapter.unsubscribe(topic)

    async def aclose(self) -> None:
        """Pass it on."""
        await self._adapter.aclose()

    # The inbox

    def received(self, topic: str, data: bytes) -> None:
        """Count, and pass it on."""
        self.received_on[topic] += 1
        self._inbox.received(topic, data)

    def lost(self, reason: str) -> None:
        """Pass it on."""
        self._inbox.lost(reason)

    def restored(self) -> None:
        """Pass it on."""
        self._inbox.restored()
