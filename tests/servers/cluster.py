"""Nodes on a bus that stands still: what they say waits until a test delivers it, in the order that it likes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from sockudo.apps.app import App
from sockudo.bus.base import Inbox
from sockudo.cluster.cluster import Cluster
from sockudo.cluster.handler import ReportHandler
from sockudo.cluster.messages import envelope
from sockudo.cluster.replication.replica import Replica
from sockudo.cluster.times import ClusterTimes
from sockudo.hub.hub import Hub
from sockudo.node.remote_events import RemoteEvents
from tests.fakes.clock import FakeClock
from tests.fakes.node import World, make_app

TIMES: Final = ClusterTimes(heartbeat_interval=10.0, node_timeout=30.0, delta_interval=0.005, introduction=0.0)
# Longer than it takes to ask again for what was lost.
A_WHILE: Final = 12.0


class Parcel(NamedTuple):
    """One message on its way to one node."""

    sender: FakeAdapter
    receiver: FakeAdapter
    topic: str
    data: bytes

    @property
    def kind(self) -> int:
        """Which of the kinds of `envelope` it is."""
        return self.data[0]


class Bus:
    """What is on its way.

    Args:
        delivered: called after each message has been handed over.
    """

    def __init__(self, delivered: Callable[[], None] = lambda: None) -> None:
        self._delivered = delivered
        self.adapters: list[FakeAdapter] = []
        self.parcels: deque[Parcel] = deque()

    def adapter(self) -> FakeAdapter:
        """Return a place on this bus."""
        return FakeAdapter(self)

    def deliver(self, parcel: Parcel | None = None) -> None:
        """Hand over one message: the oldest, or the given one."""
        if parcel is None:
            parcel = self.parcels.popleft()
        else:
            self.parcels.remove(parcel)
        if parcel.receiver.inbox is not None and parcel.receiver.is_connected:
            parcel.receiver.inbox.received(parcel.topic, parcel.data)
            self._delivered()

    def deliver_all(self) -> None:
        """Hand over everything, and what is answered."""
        for _ in range(100_000):
            if not self.parcels:
                return
            self.deliver()
        raise AssertionError("the nodes do not stop talking")

    def lose(self, is_lost: Callable[[Parcel], bool]) -> int:
        """Lose messages on their way; return how many."""
        kept = [parcel for parcel in self.parcels if not is_lost(parcel)]
        lost = len(self.parcels) - len(kept)
        self.parcels = deque(kept)
        return lost

    def heads(self) -> list[Parcel]:
        """Return what may arrive next: the oldest message of each sender to each receiver."""
        found: dict[tuple[int, int], Parcel] = {}
        for parcel in self.parcels:
            found.setdefault((id(parcel.sender), id(parcel.receiver)), parcel)
        return list(found.values())

    def kinds(self) -> list[int]:
        """Return the kinds of everything on its way."""
        return [parcel.kind for parcel in self.parcels]


class FakeAdapter:
    """An `Adapter` that joins topics at once, or with `is_slow` when a test confirms it.

    Attributes:
        published: everything that was published, with its topic.
        log: topics joined (+) and left (-).
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.topics: set[str] = set()
        self.inbox: Inbox | None = None
        self.is_connected = False
        self.is_slow = False
        self.joining: dict[str, asyncio.Future[None]] = {}
        self.published: list[tuple[str, bytes]] = []
        self.log: list[str] = []

    async def start(self, inbox: Inbox) -> None:
        """Join the bus."""
        self.inbox = inbox
        self.is_connected = True
        self._bus.adapters.append(self)

    def publish(self, topic: str, data: bytes) -> None:
        """Put a message on its way to every other node on a topic."""
        if not self.is_connected:
            return
        self.published.append((topic, data))
        for adapter in self._bus.adapters:
            if adapter is not self and topic in adapter.topics and adapter.is_connected:
                self._bus.parcels.append(Parcel(self, adapter, topic, data))

    def subscribe(self, topic: str) -> asyncio.Future[None] | None:
        """Join a topic, or catch up with it (?)."""
        self.log.append(f"?{topic}" if topic in self.topics else f"+{topic}")
        self.topics.add(topic)
        if not self.is_slow:
            return None
        self.joining[topic] = asyncio.get_running_loop().create_future()
        return self.joining[topic]

    def confirm(self, topic: str) -> None:
        """Confirm that a topic is joined."""
        self.joining.pop(topic).set_result(None)

    def unsubscribe(self, topic: str) -> None:
        """Leave a topic."""
        self.topics.discard(topic)
        self.log.append(f"-{topic}")

    async def aclose(self) -> None:
        """Leave the bus."""
        self.vanish()

    def vanish(self) -> None:
        """Be gone without a word; what was published is on its way all the same."""
        self.is_connected = False
        if self in self._bus.adapters:
            self._bus.adapters.remove(self)

    def cut(self) -> None:
        """Lose the bus."""
        self.is_connected = False
        assert self.inbox is not None, "it was started"
        self.inbox.lost("cut")

    def mend(self) -> None:
        """Find the bus again."""
        self.is_connected = True
        assert self.inbox is not None, "it was started"
        self.inbox.restored()

    def said(self, kind: int) -> list[bytes]:
        """Return every message of one kind that was published."""
        return [data for _, data in self.published if data[0] == kind]


class Member(World):
    """One node of a cluster, with a client's view of it."""

    def __init__(
        self, bus: Bus, *apps: App, clock: FakeClock | None = None, times: ClusterTimes = TIMES, **parts: Any
    ) -> None:
        self.adapter = bus.adapter()
        self._times = times
        super().__init__(*apps, clock=clock, make_peers=self._make_cluster, **parts)
        self.handler = RemoteEvents(self.node, self.cached_events)
        self.reports: ReportHandler | None = None

    def _make_cluster(self, hub: Hub, clock: FakeClock) -> Cluster:
        self.cluster = Cluster(hub, self.adapter, clock, self._times)
        return self.cluster

    @property
    def node_id(self) -> str:
        """Its name on the bus."""
        return self.cluster.node_id

    @property
    def replica(self) -> Replica:
        """What it knows of the others."""
        return self.cluster.replica

    def start(self) -> None:
        """Join the others, without waiting for their answers."""
        starting = self.cluster.start(self.handler, self.reports)
        starting.send(None)
        starting.close()

    def hear(self, topic: str, data: bytes) -> None:
        """Take a message that nobody has put on the bus."""
        assert self.adapter.inbox is not None, "it was started"
        self.adapter.inbox.received(topic, data)

    def stop(self) -> None:
        """Leave in order."""
        stopping = self.cluster.aclose()
        try:
            stopping.send(None)
        except StopIteration:
            return
        raise AssertionError("the fake bus has nothing to wait for")

    def die(self) -> None:
        """Be gone without a word, as after a crash; none of its timers does anything any more."""
        self.adapter.vanish()


class Group:
    """Several nodes on one bus and one clock."""

    def __init__(self, count: int, **app: Any) -> None:
        self.bus = Bus()
        self.clock = FakeClock()
        self._app = app
        self.members: list[Member] = []
        for _ in range(count):
            self.add()
        self.settle()

    def add(self) -> Member:
        """Start one more node."""
        member = Member(self.bus, make_app(**self._app), clock=self.clock)
        self.members.append(member)
        member.start()
        return member

    def settle(self) -> None:
        """Let everything arrive that is said now and, as an answer, in the next moment."""
        while True:
            self.bus.deliver_all()
            self.clock.advance(0.01)
            if not self.bus.parcels:
                return

    def wait(self, seconds: float) -> None:
        """Let time pass, and everything arrive meanwhile."""
        passed = 0.0
        while passed < seconds:
            self.bus.deliver_all()
            self.clock.advance(0.25)
            passed += 0.25
        self.settle()


def message(kind: int, node_id: str, rest: bytes = b"") -> bytes:
    """Return a message as a node would send it."""
    return envelope.header(kind, node_id) + rest
