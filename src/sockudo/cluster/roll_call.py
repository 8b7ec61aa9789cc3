"""Asking the nodes of a cluster who they are, without being one."""

from __future__ import annotations

import asyncio

from sockudo.bus.base import Adapter
from sockudo.cluster import envelope
from sockudo.cluster.nodes import MOST_NODES
from sockudo.cluster.state import Heartbeat, RollCall, encode
from sockudo.cluster.topics import EVERYONE


class _Answers:
    """An inbox that takes heartbeats only."""

    def __init__(self) -> None:
        self.found: dict[str, Heartbeat] = {}

    def received(self, topic: str, data: bytes) -> None:
        # What is malformed, or of a node of a version that this one does not understand, is not listed.
        heartbeat = envelope.parse(data) if data[:1] == bytes([envelope.HEARTBEAT]) else None
        if isinstance(heartbeat, Heartbeat) and len(self.found) < MOST_NODES:
            self.found[envelope.sender(data)] = heartbeat

    def lost(self, reason: str) -> None:
        """Do nothing: what has been heard until then is what is told."""

    def restored(self) -> None:
        """Do nothing."""


async def roll_call(adapter: Adapter, seconds: float) -> dict[str, Heartbeat]:
    """Ask every node on the bus for a sign of life; return what answered within `seconds`, by node id.

    Raises:
        DriverError: the bus cannot be used.
    """
    answers = _Answers()
    await adapter.start(answers)
    try:
        joined = adapter.subscribe(EVERYONE)
        if joined is not None:
            await joined
        adapter.publish(EVERYONE, envelope.header(envelope.ROLL_CALL, envelope.new_node_id()) + encode(RollCall()))
        await asyncio.sleep(seconds)
    finally:
        await adapter.aclose()
    return answers.found
