"""An inbox for tests of adapters: remembers what it hears and can be waited for."""

from __future__ import annotations

import asyncio

# Only what never comes takes as long; a machine with much to do takes its time.
WAIT = 30.0


class RecordingInbox:
    """Messages in the order heard, and whether the bus is there."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.losses: list[str] = []
        self.restorations = 0
        self._changed = asyncio.Event()

    def received(self, topic: str, data: bytes) -> None:
        """Remember a message."""
        self.messages.append((topic, data))
        self._changed.set()

    def lost(self, reason: str) -> None:
        """Remember that the bus is gone."""
        self.losses.append(reason)
        self._changed.set()

    def restored(self) -> None:
        """Remember that the bus is back."""
        self.restorations += 1
        self._changed.set()

    async def wait_for_messages(self, count: int) -> list[tuple[str, bytes]]:
        """Return the messages once there are `count`."""
        async with asyncio.timeout(WAIT):
            while len(self.messages) < count:
                await self._next()
        return self.messages

    async def wait_for_loss(self, count: int = 1) -> None:
        """Return once the bus was lost for the `count`th time."""
        async with asyncio.timeout(WAIT):
            while len(self.losses) < count:
                await self._next()

    async def wait_for_restoration(self, count: int = 1) -> None:
        """Return once the bus was restored for the `count`th time."""
        async with asyncio.timeout(WAIT):
            while self.restorations < count:
                await self._next()

    async def _next(self) -> None:
        self._changed.clear()
        await self._changed.wait()
