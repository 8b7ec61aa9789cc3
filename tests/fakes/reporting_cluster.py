"""A cluster whose nodes report to one receiver, on a clock and a bus that a test moves."""

from __future__ import annotations

from typing import Any

from tests.fakes.clock import FakeClock
from tests.fakes.node import APP_ID, Client
from tests.fakes.reporting import Receiver, ReportingMember
from tests.servers.cluster import Bus


class ReportingCluster:
    """Nodes that have all settled; further arguments are those of `ReportingMember`."""

    def __init__(self, count: int = 1, **options: Any) -> None:
        self.bus = Bus()
        self.clock = FakeClock()
        self.receiver = Receiver()
        self.nodes: list[ReportingMember] = []
        self._options = options
        for _ in range(count):
            self.add()

    def add(self) -> ReportingMember:
        """Start one more node."""
        node = ReportingMember(self.bus, self.clock, self.receiver, **self._options)
        self.nodes.append(node)
        node.start()
        self.wait(0.1)
        node.transitions.begin()
        self.wait(1.5)
        return node

    def wait(self, seconds: float) -> None:
        """Let time pass, and everything arrive meanwhile."""
        passed = 0.0
        while passed < seconds:
            self.bus.deliver_all()
            self.clock.advance(0.05)
            passed += 0.05
        self.bus.deliver_all()

    def owner(self, name: str) -> ReportingMember:
        """Return the node that speaks for a channel."""
        (found,) = (node for node in self.nodes if node.cluster.is_owner(APP_ID, name))
        return found

    def other(self, name: str) -> ReportingMember:
        """Return a node that does not."""
        return next(node for node in self.nodes if not node.cluster.is_owner(APP_ID, name))

    def join(self, node: ReportingMember, name: str, user_id: str | None = None) -> Client:
        """Let a client join a channel on a node."""
        client = node.connect()
        client.ask_for(name, user_id)
        return client

    @property
    def waiting(self) -> int:
        """How much any node thinks that the receiver does not know."""
        return sum(node.transitions.waiting for node in self.nodes)
