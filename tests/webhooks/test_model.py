"""Random nodes on a random bus that report to one receiver: what it was told balances, and ends with the truth."""

from __future__ import annotations

from hashlib import blake2b
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sockudo.cluster.messages import envelope
from tests.fakes.clock import FakeClock
from tests.fakes.node import Client
from tests.fakes.reporting import Receiver, ReportingMember
from tests.servers.cluster import Bus

CHANNELS = ("news", "private-x", "presence-x")
USERS = ("1", "2")
# Longer than it takes to miss a dead node, to hold, and to claim.
LONG = 60.0
STEP = 0.25

indexes = st.integers(0, 1000)


class ReportingMachine(RuleBasedStateMachine):
    """One to four nodes. The truth is what the clients of the living ones are on."""

    def __init__(self) -> None:
        super().__init__()
        self.bus = Bus()
        self.clock = FakeClock()
        self.receiver = Receiver()
        self.nodes: list[ReportingMember] = []
        self.clients: dict[ReportingMember, list[Client]] = {}
        self.born = 0
        self.is_recovering = False

    @initialize(count=st.integers(1, 3))
    def begin(self, count: int) -> None:
        for _ in range(count):
            self._add()

    @rule()
    def begin_one_more(self) -> None:
        if len(self.nodes) < 4:
            self._add()

    @rule(index=indexes, name=st.sampled_from(CHANNELS), user_id=st.sampled_from(USERS))
    def come(self, index: int, name: str, user_id: str) -> None:
        node = self._node(index)
        client = node.connect()
        client.ask_for(name, user_id if name == "presence-x" else None)
        self.clients[node].append(client)

    @rule(index=indexes)
    def go(self, index: int) -> None:
        found = [(node, client) for node, clients in self.clients.items() for client in clients]
        if found:
            node, client = found[index % len(found)]
            client.leave()
            self.clients[node].remove(client)

    @rule(seconds=st.sampled_from([0.05, 0.25, 1.0, 2.9, 3.2, 10.0]))
    def wait(self, seconds: float) -> None:
        self._pass(seconds)

    @rule(index=indexes, orderly=st.booleans())
    def end(self, index: int, *, orderly: bool) -> None:
        if len(self.nodes) < 2:
            return
        # Where all who knew a dead node are gone before it was missed, nobody is left to tell what it had.
        self.recover()
        self.is_recovering = not orderly
        node = self._node(index)
        for client in self.clients.pop(node) if orderly else ():
            client.leave()
        self.nodes.remove(node)
        self.clients.pop(node, None)
        if orderly:
            self._pass(0.1)
            node.reporting.is_alive = False
            node.transitions.stop()
            node.stop()
        else:
            node.die()

    @rule(takes=st.booleans())
    def let_the_queue_take_or_not(self, *, takes: bool) -> None:
        self.receiver.takes = takes

    @invariant()
    def the_bus_is_at_rest(self) -> None:
        self.bus.deliver_all()

    @rule()
    def quiescence(self) -> None:
        self._compare()

    def teardown(self) -> None:
        if self.nodes:
            self._compare()

    def recover(self) -> None:
        """Let the last fault be over."""
        if self.is_recovering:
            self._pass(LONG)
        self.is_recovering = False

    def _add(self) -> None:
        self.born += 1
        # Who owns what depends on the ids: the same run gives the same owners again.
        node_id = blake2b(b"%d" % self.born, digest_size=8).hexdigest()
        with patch.object(envelope, "new_node_id", return_value=node_id):
            node = ReportingMember(self.bus, self.clock, self.receiver)
        self.nodes.append(node)
        self.clients[node] = []
        node.start()
        self._pass(0.3)
        node.transitions.begin()

    def _node(self, index: int) -> ReportingMember:
        return self.nodes[index % len(self.nodes)]

    def _pass(self, seconds: float) -> None:
        passed = 0.0
        while passed < seconds:
            for node, clients in self.clients.items():
                for client in clients:
                    client.connection.last_activity = node.clock.monotonic()
            self.bus.deliver_all()
            self.clock.advance(min(STEP, seconds - passed))
            passed += STEP
        self.bus.deliver_all()

    def _compare(self) -> None:
        self.receiver.takes = True
        self._pass(LONG)
        truth: set[tuple[str, str | None]] = set()
        for clients in self.clients.values():
            for client in clients:
                for name, user_id in (client.connection.subscriptions or {}).items():
                    truth |= {(name, None)} | ({(name, user_id)} if user_id else set())
        assert self.receiver.believes() == truth
        assert [node.transitions.waiting for node in self.nodes] == [0] * len(self.nodes)
        self.must_balance()

    def must_balance(self) -> None:
        """Check that nothing was told twice."""
        assert self.receiver.repeats() == []


class FaultyMachine(ReportingMachine):
    """The same on a bus that loses messages and nodes, one fault after the other.

    What is told may be told again then, and is true in the end.
    """

    def _add(self) -> None:
        # Who joins in the middle of a fault may find nobody who knows what was told.
        self.recover()
        super()._add()

    @rule(picks=st.sets(st.integers(0, 20), min_size=1, max_size=8), seconds=st.sampled_from([0.01, 0.06]))
    def lose_some(self, picks: set[int], seconds: float) -> None:
        self.recover()
        self.is_recovering = True
        self.clock.advance(seconds)
        lost = {id(parcel) for number, parcel in enumerate(self.bus.parcels) if number in picks}
        self.bus.lose(lambda parcel: id(parcel) in lost)

    @rule(index=indexes, seconds=st.sampled_from([0.5, 5.0, 40.0, 100.0]))
    def cut_off_for_a_while(self, index: int, seconds: float) -> None:
        self.recover()
        self.is_recovering = True
        node = self._node(index)
        node.adapter.cut()
        self._pass(seconds)
        node.adapter.mend()

    @rule(seconds=st.sampled_from([0.5, 5.0, 40.0]))
    def lose_the_bus_for_a_while(self, seconds: float) -> None:
        self.recover()
        self.is_recovering = True
        for node in self.nodes:
            node.adapter.cut()
        self._pass(seconds)
        for node in self.nodes:
            node.adapter.mend()

    def must_balance(self) -> None:
        """Nothing: it may be out of balance."""


ReportingMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None, derandomize=True)
FaultyMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None, derandomize=True)
test_what_is_told_balances_and_ends_with_the_truth = ReportingMachine.TestCase
test_what_is_told_ends_with_the_truth_whatever_fails = FaultyMachine.TestCase
