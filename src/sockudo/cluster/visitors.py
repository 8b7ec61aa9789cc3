"""Lets a command talk to the nodes of a cluster over their bus, without becoming one of them.

Each function starts the adapter that it is given, and closes it. Nodes accept these messages from any sender, and do
not count the sender as a node.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from sockudo.bus.base import Adapter
from sockudo.cluster.messages import envelope
from sockudo.cluster.messages.state import AppChanged, Delivered, Follow, Heartbeat, RollCall
from sockudo.cluster.messages.topics import DELIVERIES, EVERYONE
from sockudo.cluster.messages.voice import Voice
from sockudo.cluster.nodes import MOST_NODES

# Seconds: how often a follower asks, and for how long. A node that misses a request gets the next one in time.
_FOLLOW_EVERY: Final = 2.0
_FOLLOW_FOR: Final = 8.0


class _Ear:
    """An inbox that takes one kind of message and ignores the others.

    Args:
        kind: of `envelope`; None for a visitor that only speaks.
        hear: given the node id of the sender and the message.
    """

    def __init__(self, kind: int | None, hear: Callable[[str, msgspec.Struct], None]) -> None:
        self._kind = kind
        self._hear = hear

    def received(self, topic: str, data: bytes) -> None:
        """Take a message; one that is malformed, or of a version that this one does not understand, is ignored."""
        if not data or data[0] != self._kind:
            return
        message = envelope.parse(data)
        if message is not None:
            self._hear(envelope.sender(data), message)

    def lost(self, reason: str) -> None:
        """Do nothing: the adapter connects again."""

    def restored(self) -> None:
        """Do nothing: a follower asks again soon, and all other commands use what has arrived until then."""


@asynccontextmanager
async def _visiting(
    adapter: Adapter,
    topic: str | None = None,
    kind: int | None = None,
    hear: Callable[[str, msgspec.Struct], None] = lambda node_id, message: None,
) -> AsyncIterator[Voice]:
    """Start an adapter, listen on a topic, yield the visitor's `Voice`, and close the adapter at the end."""
    await adapter.start(_Ear(kind, hear))
    try:
        joined = None if topic is None else adapter.subscribe(topic)
        if joined is not None:
            await joined
        yield Voice(adapter, envelope.new_node_id())
    finally:
        await adapter.aclose()


async def roll_call(adapter: Adapter, seconds: float) -> dict[str, Heartbeat]:
    """Ask every node on the bus for a heartbeat; return those that came within `seconds`, by node id.

    Raises:
        DriverError: the bus cannot be used.
    """
    found: dict[str, Heartbeat] = {}

    def hear(node_id: str, message: msgspec.Struct) -> None:
        if isinstance(message, Heartbeat) and len(found) < MOST_NODES:
            found[node_id] = message

    async with _visiting(adapter, EVERYONE, envelope.HEARTBEAT, hear) as voice:
        voice.say(EVERYONE, envelope.ROLL_CALL, RollCall())
        await asyncio.sleep(seconds)
    return found


async def follow_deliveries(adapter: Adapter, hear: Callable[[Delivered], None]) -> None:
    """Receive every attempt of any node to deliver a webhook, until cancelled.

    Attempts before the first request reaches the nodes are missed.

    Raises:
        DriverError: the bus cannot be used.
    """

    def hear_delivery(node_id: str, message: msgspec.Struct) -> None:
        if isinstance(message, Delivered):
            hear(message)

    async with _visiting(adapter, DELIVERIES, envelope.DELIVERED, hear_delivery) as voice:
        while True:
            voice.say(EVERYONE, envelope.FOLLOW, Follow(_FOLLOW_FOR))
            await asyncio.sleep(_FOLLOW_EVERY)


async def announce_apps(adapter: Adapter, app_ids: Iterable[str]) -> None:
    """Tell every node on the bus to look these apps up anew; return when that has been sent.

    Raises:
        DriverError: the bus cannot be used.
    """
    async with _visiting(adapter) as voice:
        for app_id in app_ids:
            voice.say(EVERYONE, envelope.APP_CHANGED, AppChanged(app_id))
