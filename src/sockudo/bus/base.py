"""The interface of an adapter: how opaque bytes get from one node to the others.

A bus has topics. A node receives what is published to the topics that it has joined, so a message costs only the nodes
that need it. A driver only moves bytes: `cluster` decides what they mean, which nodes are alive and what they share.

A driver promises:

* Messages that one node publishes to one topic arrive in the order published, each once, at every node that joined the
  topic before, as long as the bus is whole. Across a lost bus messages may be lost, never doubled or reordered.
* `publish` does not wait: what is published in one tick of the event loop leaves in one write.
* The driver hands on all messages of one read before control goes back to the event loop.
* A node's own messages may come back to it, or not; `cluster` drops them.
* The driver reconnects to a lost bus for ever, with backoff, and joins every topic again before it calls `restored`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, runtime_checkable


class Inbox(Protocol):
    """Takes what arrives from the bus. A driver calls it in the event loop; its methods return at once, never raise."""

    def received(self, topic: str, data: bytes) -> None:
        """Take one message."""

    def lost(self, reason: str) -> None:
        """Note that the bus is gone; `reason` is for the log and holds no secret. Called once until `restored`."""

    def restored(self) -> None:
        """Note that the bus is back and every joined topic is joined again."""


class Adapter(Protocol):
    """The connection of one node to the bus.

    Topics are text of up to 500 characters without control characters; a driver encodes what its bus cannot name.
    """

    @property
    def is_connected(self) -> bool:
        """Whether the bus can be reached now."""
        ...

    async def start(self, inbox: Inbox) -> None:
        """Connect.

        Raises:
            DriverError: the bus cannot be reached or refuses; the message names the setting.
        """

    def publish(self, topic: str, data: bytes) -> None:
        """Send `data` to every node on `topic`. While the bus is lost, the driver drops and counts messages."""

    def subscribe(self, topic: str) -> asyncio.Future[None] | None:
        """Join a topic, or catch up with one that this node has joined.

        Returns a future that is done once every message published from then on, by any node, arrives here, and every
        message that the bus took before has arrived; None if that is so already. While the bus is lost, the future
        is done at once, because the driver joins the topic when it reconnects. The future never fails.

        Until the first future of a topic is done, a further one may be done together with it.
        """

    def unsubscribe(self, topic: str) -> None:
        """Leave a topic. Messages that are on their way may still arrive."""

    async def aclose(self) -> None:
        """Send what was published, leave and release everything; safe to call again."""


@runtime_checkable
class ConfirmingAdapter(Adapter, Protocol):
    """An `Adapter` on a bus that confirms messages, and handles a later join before a message that waits for that."""

    def after_taken(self, step: Callable[[], None]) -> None:
        """Call `step` in a later tick: once the bus has taken what was published until now, or hangs, or is lost.

        A node that joins a topic after that does not hear those messages.
        """
