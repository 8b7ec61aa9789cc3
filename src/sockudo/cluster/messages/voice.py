"""Sends the messages of this node to the bus, with its id and the kind in front."""

from __future__ import annotations

import msgspec

from sockudo.bus.base import Adapter
from sockudo.cluster.messages import envelope
from sockudo.cluster.messages.state import encode


class Voice:
    """Speaks for one node.

    Attributes:
        messages: how many it has said.
    """

    def __init__(self, adapter: Adapter, node_id: str) -> None:
        self._adapter = adapter
        self.node_id = node_id
        self.messages = 0

    def say(self, topic: str, kind: int, said: msgspec.Struct) -> None:
        """Send a message to every node on a topic."""
        self.send(topic, self.message(kind, said))

    def message(self, kind: int, said: msgspec.Struct) -> bytes:
        """Return an encoded message, for `send`."""
        return envelope.header(kind, self.node_id) + encode(said)

    def send(self, topic: str, message: bytes) -> None:
        """Send an encoded message."""
        self.messages += 1
        self._adapter.publish(topic, message)
