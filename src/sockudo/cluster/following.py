"""Following the deliveries of webhooks of all nodes, without being one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from sockudo.bus.base import Adapter
from sockudo.cluster import envelope
from sockudo.cluster.state import Delivered, Follow, encode
from sockudo.cluster.topics import DELIVERIES, EVERYONE

_SAY_AGAIN: Final = 2.0
_FOR: Final = 8.0


class _Deliveries:
    """An inbox that takes deliveries only."""

    def __init__(self, hear: Callable[[Delivered], None]) -> None:
        self._hear = hear

    def received(self, topic: str, data: bytes) -> None:
        # What is malformed, or of a node of a version that this one does not understand, is passed over.
        delivered = envelope.parse(data) if data[:1] == bytes([envelope.DELIVERED]) else None
        if isinstance(delivered, Delivered):
            self._hear(delivered)

    def lost(self, reason: str) -> None:
        """Do nothing: the bus is reconnected, and asked again."""

    def restored(self) -> None:
        """Do nothing: it is asked again soon."""


async def follow(adapter: Adapter, hear: Callable[[Delivered], None]) -> None:
    """Hear of every attempt on any node until cancelled; what comes before the nodes know of it is missed.

    Raises:
        DriverError: the bus cannot be used.
    """
    await adapter.start(_Deliveries(hear))
    try:
        joined = adapter.subscribe(DELIVERIES)
        if joined is not None:
            await joined
        header = envelope.header(envelope.FOLLOW, envelope.new_node_id())
        while True:
            adapter.publish(EVERYONE, header + encode(Follow(_FOR)))
            await asyncio.sleep(_SAY_AGAIN)
    finally:
        await adapter.aclose()
