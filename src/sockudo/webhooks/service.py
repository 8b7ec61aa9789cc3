"""Starts and stops everything that sends webhooks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sockudo.queues.base import Queue
from sockudo.webhooks.delivery.sender import Sender
from sockudo.webhooks.webhooks import Webhooks


class WebhookService:
    """The event collector, its queue, and the sender."""

    def __init__(self, webhooks: Webhooks, queue: Queue, make_sender: Callable[[], Sender]) -> None:
        self.webhooks = webhooks
        self.queue = queue
        self._make_sender = make_sender
        self._sender: Sender | None = None

    @property
    def sender(self) -> Sender:
        """The sender, once it was started."""
        assert self._sender is not None, "it was started"
        return self._sender

    async def start(self) -> None:
        """Begin to deliver the jobs of the queue.

        Raises:
            DriverError: the queue cannot be used.
        """
        self._sender = self._make_sender()
        try:
            await self.queue.start(self._sender)
        except BaseException:
            await self.aclose()
            raise

    def check(self) -> asyncio.Future[None]:
        """Return a future that fails with `DriverError` while the queue cannot be used."""
        return asyncio.ensure_future(self.queue.check())

    async def aclose(self, seconds: float = 0.0) -> None:
        """Deliver as much as `seconds` allow, and release every resource."""
        if self._sender is None:
            return
        await self.queue.drain(seconds)
        await self.queue.aclose()
        await self._sender.aclose()
