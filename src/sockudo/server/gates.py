"""Tells why this node should be sent no clients, apart from stores that fail."""

from __future__ import annotations

from sockudo.node.memory import MemoryGauge
from sockudo.node.node import Node


class NodeGates:
    """What probes are told of a node."""

    def __init__(self, node: Node, memory: MemoryGauge) -> None:
        self._node = node
        self._memory = memory

    @property
    def is_draining(self) -> bool:
        """Whether the node leaves, or is about to."""
        return self._node.is_leaving or self._node.is_draining

    def full(self) -> str:
        """Return why there is no room for another connection, or nothing."""
        return self._node.capacity.problem()

    def overload(self) -> str:
        """Return why clients and events are refused for want of memory, or nothing."""
        return self._memory.problem()

    def isolation(self) -> str:
        """Return why the other nodes cannot be reached, or nothing."""
        return "" if self._node.peers.is_healthy else "bus unreachable"
