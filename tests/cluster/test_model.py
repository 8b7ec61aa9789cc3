"""Random nodes on a random bus: whatever happened, all agree with the truth once everything has arrived.

And one of them speaks for each channel to the outside: what that node says of the channel, occupied and vacated,
balances whatever happens to the others.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from itertools import count
from typing import Final
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sockudo.cluster.messages.state import PART_BYTES
from sockudo.cluster.replication import batches
from tests.fakes.clock import FakeClock
from tests.fakes.node import APP_ID, Client, data_of, make_app
from tests.faults.checker import History, Transition
from tests.servers.cluster import Bus, Member

APP: Final = {
    "enable_user_authentication": True,
    "enable_watchlist_events": True,
    "enable_subscription_count": True,
}
PLAIN: Final = ("news", "private-x")
PRESENCE: Final = ("presence-x", "presence-y")
USERS: Final = ("1", "2", "3")
WATCHER: Final = "watcher"

indexes = st.integers(0, 1000)
users = st.sampled_from(USERS)


class Observer:
    """A client's picture of who is on presence channels and who is online, from nothing but what it was told."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.channels: dict[str, set[str]] = {}
        self.online: set[str] | None = None
        self.count: int | None = None

    def read(self) -> None:
        for frame in self.client.wire.take():
            event, name = frame["event"].rpartition(":")[2], str(frame.get("channel"))
            if event == "subscription_succeeded" and name in PRESENCE:
                presence = data_of(frame)["presence"]
                assert presence["count"] == len(presence["ids"]) == len(presence["hash"])
                self.channels[name] = set(presence["ids"])
            elif event == "member_added":
                user_id = data_of(frame)["user_id"]
                assert user_id not in self.channels[name], "told twice that a member has come"
                self.channels[name].add(user_id)
            elif event == "member_removed":
                user_id = data_of(frame)["user_id"]
                assert user_id in self.channels[name], "told twice that a member is gone"
                self.channels[name].remove(user_id)
            elif event == "subscription_count":
                self.count = data_of(frame)["subscription_count"]
                assert self.count >= 1, "whoever hears a count is counted"
            elif event == "watchlist_events":
                self._read_watchlist(data_of(frame)["events"])

    def _read_watchlist(self, changes: list[dict[str, object]]) -> None:
        ids = {str(change["name"]): set(map(str, list(change["user_ids"]))) for change in changes}  # type: ignore[call-overload]  # JSON
        if self.online is None:
            self.online = ids.get("online", set())
            return
        assert not ids.get("online", set()) & self.online, "told twice that a user is online"
        assert ids.get("offline", set()) <= self.online, "told twice that a user is offline"
        self.online = (self.online | ids.get("online", set())) - ids.get("offline", set())


class Spokesmen:
    """What nodes say of channels to the outside: each, of those that it takes itself for the owner of, by its own view.

    Since the last quiet moment. What is said while a channel changes its owner need not balance: the new owner tells
    only what changes from then on.
    """

    def __init__(self) -> None:
        self.said: list[Transition] = []
        self.owners: dict[str, set[str]] = {}
        self._views: dict[Member, set[str]] = {}
        self._numbers = count()

    def restart(self, occupied: Iterable[str]) -> None:
        """Forget what was said: these channels are occupied, and the outside knows."""
        self.said = [Transition(name, True, "", next(self._numbers)) for name in occupied]
        self.owners.clear()

    def look(self, members: Iterable[Member]) -> None:
        """Note what each node says now."""
        for member in members:
            occupied, before = set(member.node.view.channel_names(APP_ID)), self._views.get(member, set())
            self._views[member] = occupied
            for name in PLAIN + PRESENCE:
                if member.cluster.is_owner(APP_ID, name):
                    self.owners.setdefault(name, set()).add(member.node_id)
                    if (name in occupied) is not (name in before):
                        self.said.append(Transition(name, name in occupied, member.node_id, next(self._numbers)))

    def problems(self, alive: set[str], occupied: Iterable[str]) -> list[str]:
        """Return what does not balance of the channels whose owner has been one node all the time."""
        steady = {name for name, owners in self.owners.items() if len(owners) == 1 and owners <= alive}
        said = [one for one in self.said if one.channel in steady]
        return History().transition_problems(said, steady.intersection(occupied))


class ClusterMachine(RuleBasedStateMachine):
    """Two to four nodes. The truth is what the hubs of the living nodes hold together."""

    def __init__(self) -> None:
        super().__init__()
        self.bus = Bus(self._look)
        self.clock = FakeClock()
        self.spokesmen = Spokesmen()
        self._part_size = ExitStack()
        self.members: list[Member] = []
        self.observers: dict[Member, list[Observer]] = {}

    @initialize(count=st.integers(2, 4), part_bytes=st.sampled_from([PART_BYTES, 60]))
    def begin(self, count: int, part_bytes: int) -> None:
        # Of a few bytes, so that what nodes tell each other comes in several parts and deltas.
        self._part_size.enter_context(patch.multiple(batches, PART_BYTES=part_bytes, _SLICE_BYTES=part_bytes // 8))
        for _ in range(count):
            self._add()
        self._quiet()
        self.spokesmen.restart(())

    def _add(self) -> None:
        member = Member(self.bus, make_app(**APP), clock=self.clock)
        self.members.append(member)
        self.observers[member] = []
        member.start()

    def _member(self, index: int) -> Member:
        return self.members[index % len(self.members)]

    def _observer(self, index: int) -> Observer | None:
        found = [one for observers in self.observers.values() for one in observers]
        return found[index % len(found)] if found else None

    # What clients do

    @rule(index=indexes)
    def connect(self, index: int) -> None:
        member = self._member(index)
        self.observers[member].append(Observer(member.connect()))

    @rule(index=indexes, name=st.sampled_from(PRESENCE), user_id=users)
    def join_presence(self, index: int, name: str, user_id: str) -> None:
        observer = self._observer(index) or self._connected(index)
        if name not in (observer.client.connection.subscriptions or {}):
            observer.client.ask_for(name, user_id)

    @rule(index=indexes, name=st.sampled_from(PLAIN))
    def join(self, index: int, name: str) -> None:
        (self._observer(index) or self._connected(index)).client.ask_for(name)

    @rule(index=indexes, name=st.sampled_from(PLAIN + PRESENCE))
    def leave(self, index: int, name: str) -> None:
        observer = self._observer(index)
        if observer is not None:
            observer.client.say("pusher:unsubscribe", {"channel": name})
            self.clock.run_soon()
            observer.read()
            observer.channels.pop(name, None)

    @rule(index=indexes, user_id=st.sampled_from((*USERS, WATCHER)))
    def sign_in(self, index: int, user_id: str) -> None:
        observer = self._observer(index) or self._connected(index)
        if observer.client.connection.user is None:
            observer.client.ask_to_be(user_id, watchlist=list(USERS) if user_id == WATCHER else [])

    @rule(index=indexes)
    def disconnect(self, index: int) -> None:
        observer = self._observer(index)
        if observer is not None:
            observer.client.leave()
            for observers in self.observers.values():
                if observer in observers:
                    observers.remove(observer)

    def _connected(self, index: int) -> Observer:
        member = self._member(index)
        observer = Observer(member.connect())
        self.observers[member].append(observer)
        return observer

    # What the bus does

    @rule(picks=st.lists(indexes, min_size=1, max_size=20))
    def deliver_some(self, picks: list[int]) -> None:
        for pick in picks:
            heads = self.bus.heads()
            if not heads:
                self.clock.advance(0.006)
                return
            self.bus.deliver(heads[pick % len(heads)])

    @rule(picks=st.sets(st.integers(0, 10), min_size=1, max_size=5))
    def lose_some(self, picks: set[int]) -> None:
        lost = {id(parcel) for number, parcel in enumerate(self.bus.parcels) if number in picks}
        self.bus.lose(lambda parcel: id(parcel) in lost)

    @rule(seconds=st.sampled_from([0.006, 0.1, 2.5, 11.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    # What nodes do

    @rule(index=indexes, orderly=st.booleans())
    def end(self, index: int, *, orderly: bool) -> None:
        if len(self.members) < 2:
            return
        member = self._member(index)
        if orderly:
            member.stop()
        else:
            member.die()
        self.members.remove(member)
        del self.observers[member]

    @rule()
    def begin_one_more(self) -> None:
        if len(self.members) < 4:
            self._add()

    @rule(index=indexes, seconds=st.sampled_from([1.0, 35.0]))
    def cut_off_for_a_while(self, index: int, seconds: float) -> None:
        member = self._member(index)
        member.adapter.cut()
        self._pass(seconds)
        member.adapter.mend()

    # What must hold

    def _look(self) -> None:
        self.spokesmen.look(self.members)

    @invariant()
    def what_nodes_say_is_heard(self) -> None:
        self._look()

    @invariant()
    def every_client_is_told_each_change_once(self) -> None:
        self.clock.run_soon()
        for observers in self.observers.values():
            # Those that said nothing for long were given up by the server.
            observers[:] = [observer for observer in observers if observer.client.connection.is_open]
            for observer in observers:
                observer.read()

    @invariant()
    def nothing_is_counted_below_one(self) -> None:
        for member in self.members:
            for name in member.replica.channels(APP_ID):
                channel = member.replica.channel(APP_ID, name)
                assert channel is not None
                assert channel.count == sum(channel.counts.values())
                assert all(count > 0 for count in channel.counts.values())
                assert set(channel.ids) == set(channel.entries) == set(channel.members)
                assert all(channel.members.values()), "a member is somewhere"

    @rule()
    def quiescence(self) -> None:
        self._quiet()
        self._compare()

    def teardown(self) -> None:
        with self._part_size:
            if self.members:
                self._quiet()
                self._compare()

    def _pass(self, seconds: float) -> None:
        for _ in range(int(seconds / 0.5)):
            self.bus.deliver_all()
            self.clock.advance(0.5)
        self.bus.deliver_all()

    def _quiet(self) -> None:
        """Let heartbeats come, and the dead be missed."""
        self._pass(45)

    def _compare(self) -> None:
        self.every_client_is_told_each_change_once()
        hubs = [member.hub for member in self.members]
        connections = sum(hub.connection_count(APP_ID) for hub in hubs)
        counts = Counter(name for observer in self._all() for name in (observer.client.connection.subscriptions or {}))
        online = {one.client.connection.user.user_id for one in self._all() if one.client.connection.user}
        rosters = {
            name: {
                user_id
                for observer in self._all()
                if (user_id := (observer.client.connection.subscriptions or {}).get(name)) is not None
            }
            for name in PRESENCE
        }
        self._compare_said(counts)
        for member in self.members:
            view = member.node.view
            assert len(member.cluster.nodes) == len(self.members) - 1
            assert member.cluster.is_alone == (len(self.members) == 1)
            assert all(peer.is_synced for peer in member.cluster.nodes.peers())
            assert view.connection_count(APP_ID) == connections
            assert set(view.channel_names(APP_ID)) == set(counts)
            assert {user for user in (*USERS, WATCHER) if view.is_online(APP_ID, user)} == online
            for name in PLAIN + PRESENCE:
                assert view.subscription_count(APP_ID, name) == counts[name]
                assert view.is_occupied(APP_ID, name) == (name in counts)
            for name, roster in rosters.items():
                assert set(view.members(APP_ID, name)) == roster
                assert view.member_count(APP_ID, name) == len(roster)
                self._compare_told(member, name, roster)
            assert self._nodes_remembered(member) <= {other.node_id for other in self.members}
            for observer in self.observers[member]:
                assert observer.online is None or observer.online == online & set(USERS)
                if "news" in (observer.client.connection.subscriptions or {}):
                    assert observer.count is not None

    def _compare_said(self, occupied: Iterable[str]) -> None:
        for name in PLAIN + PRESENCE:
            assert sum(member.cluster.is_owner(APP_ID, name) for member in self.members) == 1
        self._look()
        alive = {member.node_id for member in self.members}
        assert not self.spokesmen.problems(alive, occupied)
        self.spokesmen.restart(occupied)

    def _compare_told(self, member: Member, name: str, roster: set[str]) -> None:
        told = json.loads(json.loads(b'"%b"' % member.node.view.roster(APP_ID, name)))["presence"]
        assert (told["count"], set(told["ids"]), set(told["hash"])) == (len(roster), roster, roster)
        for observer in self.observers[member]:
            if name in (observer.client.connection.subscriptions or {}):
                assert observer.channels[name] == roster

    def _all(self) -> list[Observer]:
        return [observer for member in self.members for observer in self.observers[member]]

    def _nodes_remembered(self, member: Member) -> set[str]:
        """Return every node that anything is kept for."""
        found: set[str] = set()
        for app in member.replica._apps.values():
            found |= set(app.connections)
            for nodes in app.online.values():
                found |= nodes
            for channel in app.channels.values():
                found |= set(channel.counts)
                for infos in channel.members.values():
                    found |= set(infos)
        return found


ClusterMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None, derandomize=True)
test_all_nodes_agree_with_the_truth_and_tell_changes_once = ClusterMachine.TestCase
