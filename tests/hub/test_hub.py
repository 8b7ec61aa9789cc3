from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sockudo.apps.app import App
from sockudo.hub.broadcast import Broadcast
from sockudo.hub.changes import Left, Offline
from sockudo.hub.connection import Connection
from sockudo.hub.hub import Hub, is_quick_to_remove
from sockudo.hub.outbox import Flusher
from sockudo.pusher.channels import kind_of
from sockudo.pusher.members import Identity
from sockudo.websocket.frames import text_frame
from tests.fakes.clock import FakeClock
from tests.fakes.node import make_app
from tests.fakes.wire import RecordingWire
from tests.support.properties import QUICK
from tests.support.references import holders

APP, OTHER_APP = make_app(id="1"), make_app(id="2")
FRAME = text_frame(b'{"event":"e"}')


class Setting:
    """A hub, its clock, and connections by socket id."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.hub = Hub(Flusher(self.clock.call_soon))
        self.wires: dict[Connection, RecordingWire] = {}

    def connect(self, socket_id: str, app: App = APP) -> Connection:
        wire = RecordingWire()
        connection = Connection(socket_id, app, wire, self.hub.flusher, now=0, version=7)
        self.hub.add(connection)
        self.wires[connection] = wire
        return connection

    def join(self, connection: Connection, name: str, user_id: str | None = None) -> tuple[bool, str | None] | None:
        identity = None if user_id is None else Identity(user_id)
        joined = self.hub.subscribe(connection, name, kind_of(name), identity)
        if joined is None:
            return None
        assert joined.channel is self.hub.channel(connection.app.id, name)
        return joined.first_here, joined.member_added

    def leave(self, connection: Connection, name: str) -> tuple[bool, str | None] | None:
        left = self.hub.unsubscribe(connection, name)
        return None if left is None else (left.last_here, left.member_removed)

    def left(self, connection: Connection) -> list[Left]:
        return [one for one in self.hub.remove(connection) if isinstance(one, Left)]

    def received(self, *connections: Connection) -> list[int]:
        self.clock.advance(0)
        return [len(self.wires[connection].frames) for connection in connections]


@pytest.fixture
def setting() -> Setting:
    return Setting()


def test_connections_are_counted_for_each_app(setting: Setting) -> None:
    first, second = setting.connect("1.1"), setting.connect("1.2")
    setting.connect("1.1", OTHER_APP)
    assert (setting.hub.connection_count("1"), setting.hub.connection_count("2")) == (2, 1)
    assert setting.hub.connection_count("3") == 0
    assert len(list(setting.hub.connections())) == 3
    setting.left(first)
    setting.left(second)
    assert setting.hub.connection_count("1") == 0


def test_first_and_last_subscribers_are_told_apart_from_the_others(setting: Setting) -> None:
    first, second = setting.connect("1.1"), setting.connect("1.2")
    assert setting.join(first, "news") == (True, None)
    assert setting.join(second, "news") == (False, None)
    assert setting.leave(first, "news") == (False, None)
    assert setting.leave(second, "news") == (True, None)
    assert setting.hub.channel("1", "news") is None
    assert not setting.hub.channels("1")


def test_joining_twice_changes_nothing(setting: Setting) -> None:
    connection = setting.connect("1.1")
    setting.join(connection, "presence-x", "1")
    assert setting.join(connection, "presence-x", "2") is None
    assert connection.subscriptions == {"presence-x": "1"}
    assert setting.leave(connection, "presence-x") == (True, "1")


def test_leaving_a_channel_that_was_not_joined_changes_nothing(setting: Setting) -> None:
    connection, other = setting.connect("1.1"), setting.connect("1.2")
    assert setting.leave(connection, "news") is None
    setting.join(other, "news")
    setting.join(connection, "sport")
    assert setting.leave(connection, "news") is None
    assert setting.hub.channel("1", "news") is not None


def test_channels_with_one_name_in_two_apps_are_separate(setting: Setting) -> None:
    mine, theirs = setting.connect("1.1"), setting.connect("1.2", OTHER_APP)
    assert setting.join(mine, "news") == (True, None)
    assert setting.join(theirs, "news") == (True, None)
    assert setting.hub.deliver("1", "news", Broadcast(FRAME)) == 1
    assert setting.received(mine, theirs) == [1, 0]


def test_a_user_with_two_connections_is_one_member(setting: Setting) -> None:
    first, second = setting.connect("1.1"), setting.connect("1.2")
    assert setting.join(first, "presence-x", "1") == (True, "1")
    assert setting.join(second, "presence-x", "1") == (False, None)
    assert setting.leave(first, "presence-x") == (False, None)
    assert setting.leave(second, "presence-x") == (True, "1")


def test_a_connection_may_be_another_member_on_each_channel(setting: Setting) -> None:
    connection = setting.connect("1.1")
    setting.join(connection, "presence-x", "1")
    setting.join(connection, "presence-y", "2")
    assert setting.leave(connection, "presence-x") == (True, "1")
    assert setting.leave(connection, "presence-y") == (True, "2")


def test_a_presence_channel_takes_members_only(setting: Setting) -> None:
    connection = setting.connect("1.1")
    with pytest.raises(AssertionError, match="has members only"):
        setting.hub.subscribe(connection, "presence-x", kind_of("presence-x"))


def state_of(hub: Hub) -> list[object]:
    """Return what the table has of the first app, and its totals."""
    totals = hub.totals["1"]
    counts = [totals.disconnections, dict(totals.unsubscriptions), dict(totals.channels)]
    return [hub.app_ids(), hub.connection_count("1"), [channel.name for channel in hub.channels("1")], counts]


@pytest.mark.parametrize("name", ["", "a", "private-a", "cache-a"])
@pytest.mark.parametrize("has_company", [False, True])
def test_removing_at_once_and_in_steps_is_the_same(name: str, has_company: bool) -> None:
    outcomes = []
    for at_once in (True, False):
        setting = Setting()
        leaver = setting.connect("1.1")
        if has_company:
            setting.join(setting.connect("1.2"), name or "b")
        if name:
            setting.join(leaver, name)
        assert is_quick_to_remove(leaver)
        changes = [setting.hub.remove_at_once(leaver)] if at_once else setting.left(leaver)
        told = [(left.channel.name, left.last_here, left.member_removed) for left in changes if left is not None]
        assert leaver.subscriptions is None
        assert setting.hub.remove_at_once(leaver) is None
        outcomes.append([told, *state_of(setting.hub)])
    assert outcomes[0] == outcomes[1]


def test_members_users_and_crowds_of_channels_leave_in_steps() -> None:
    setting = Setting()
    member, user, crowded = (setting.connect(f"1.{number}") for number in range(3))
    setting.join(member, "presence-a", "ann")
    setting.hub.sign_in(user, Identity("bob"))
    for name in ("a", "b"):
        setting.join(crowded, name)
    assert not any(map(is_quick_to_remove, (member, user, crowded)))


def test_removing_a_connection_leaves_every_channel_once(setting: Setting) -> None:
    connection, other = setting.connect("1.1"), setting.connect("1.2")
    setting.join(connection, "news")
    setting.join(other, "news")
    setting.join(connection, "presence-x", "1")
    told = [(one.channel.name, one.last_here, one.member_removed) for one in setting.left(connection)]
    assert told == [("news", False, None), ("presence-x", True, "1")]
    assert connection.subscriptions is None
    assert list(setting.hub.remove(connection)) == []


def test_a_user_who_returns_during_a_departure_never_left(setting: Setting) -> None:
    old, new = setting.connect("1.1"), setting.connect("1.2")
    for name in ("presence-x", "presence-y"):
        setting.join(old, name, "7")
    setting.hub.sign_in(old, Identity("7"))
    leaving = setting.hub.remove(old)
    assert setting.hub.connection_count("1") == 1
    assert next(leaving).member_removed == "7"  # type: ignore[union-attr]  # the first of two channels
    assert setting.join(new, "presence-x", "7") == (True, "7")
    assert setting.join(new, "presence-y", "7") == (False, None)
    assert not setting.hub.sign_in(new, Identity("7"))
    assert [one.member_removed for one in leaving if isinstance(one, Left)] == [None]
    assert setting.hub.is_online("1", "7")
    assert [one.channel.name for one in setting.left(new)] == ["presence-x", "presence-y"]


def test_a_connection_that_comes_during_the_last_departure_is_kept(setting: Setting) -> None:
    first, second = setting.connect("1.1"), setting.connect("1.2")
    setting.join(first, "news")
    leaving, nothing = setting.hub.remove(first), setting.hub.remove(second)
    list(leaving)
    third = setting.connect("1.3")
    setting.join(third, "news")
    assert list(nothing) == []
    assert setting.hub.connection_count("1") == 1
    assert setting.hub.channel("1", "news") is not None


def test_removing_a_connection_that_was_never_added_does_nothing(setting: Setting) -> None:
    stranger = Connection("9.9", APP, RecordingWire(), setting.hub.flusher, now=0, version=7)
    assert list(setting.hub.remove(stranger)) == []
    setting.connect("1.1")
    assert list(setting.hub.remove(stranger)) == []


def test_the_last_signed_in_connection_takes_the_user_along(setting: Setting) -> None:
    first, second = setting.connect("1.1"), setting.connect("1.2")
    assert setting.hub.sign_in(first, Identity("7"))
    assert not setting.hub.sign_in(second, Identity("7"))
    assert list(setting.hub.user_connections("1", "7")) == [first, second]
    assert list(setting.hub.remove(first)) == []
    assert setting.hub.is_online("1", "7")
    assert list(setting.hub.remove(second)) == [Offline("7")]
    assert not setting.hub.is_online("1", "7")


def test_users_of_one_name_in_two_apps_are_two(setting: Setting) -> None:
    mine, theirs = setting.connect("1.1"), setting.connect("1.2", OTHER_APP)
    setting.hub.sign_in(mine, Identity("7"))
    assert not setting.hub.is_online("2", "7")
    assert setting.hub.sign_in(theirs, Identity("7"))
    setting.hub.deliver_to_user("1", "7", Broadcast(FRAME))
    assert setting.received(mine, theirs) == [1, 0]


def test_a_users_frame_reaches_every_connection_but_the_excluded(setting: Setting) -> None:
    first, second, other = (setting.connect(socket_id) for socket_id in ("1.1", "1.2", "1.3"))
    for connection, user_id in ((first, "7"), (second, "7"), (other, "8")):
        setting.hub.sign_in(connection, Identity(user_id))
    setting.hub.deliver_to_user("1", "7", Broadcast(FRAME), except_id="1.2")
    assert setting.received(first, second, other) == [1, 0, 0]


def test_a_frame_reaches_every_subscriber_but_the_one_left_out(setting: Setting) -> None:
    first, second, other = (setting.connect(socket_id) for socket_id in ("1.1", "1.2", "1.3"))
    setting.join(first, "news")
    setting.join(second, "news")
    assert setting.hub.deliver("1", "news", Broadcast(FRAME), "1.2") == 1
    assert setting.hub.deliver("1", "news", Broadcast(FRAME), "unknown") == 2
    assert setting.received(first, second, other) == [2, 1, 0]


def test_what_is_published_for_nobody_reaches_nobody(setting: Setting) -> None:
    assert setting.hub.deliver("1", "news", Broadcast(FRAME)) == 0
    setting.connect("1.1")
    assert setting.hub.deliver("1", "news", Broadcast(FRAME)) == 0
    setting.hub.deliver_to_user("1", "7", Broadcast(FRAME))
    setting.hub.deliver_to_user("3", "7", Broadcast(FRAME))
    assert setting.hub.channels("3") == ()
    assert setting.hub.channel("3", "news") is None
    assert setting.hub.user_connections("3", "7") == ()
    assert not setting.hub.is_online("3", "7")


def test_what_was_published_before_a_connection_joined_never_reaches_it(setting: Setting) -> None:
    first, second = setting.connect("1.1"), setting.connect("1.2")
    setting.join(first, "news")
    setting.hub.deliver("1", "news", Broadcast(FRAME))
    setting.join(second, "news")
    assert setting.received(first, second) == [1, 0]
    setting.hub.deliver("1", "news", Broadcast(FRAME))
    assert setting.received(first, second) == [2, 1]


def test_nothing_is_kept_of_a_connection_that_is_gone(setting: Setting) -> None:
    connection = setting.connect("1.1")
    setting.hub.sign_in(connection, Identity("7"))
    setting.join(connection, "presence-x", "7")
    setting.join(connection, "news")
    assert len(holders(connection)) > 1
    setting.left(connection)
    assert holders(connection) == [setting.wires]
    assert list(setting.hub.connections()) == []


class HubAgainstSets(RuleBasedStateMachine):
    """Presence: `member_added` exactly when a user comes, `member_removed` exactly when the last connection goes."""

    def __init__(self) -> None:
        super().__init__()
        self.setting = Setting()
        self.connections: dict[int, Connection] = {}
        # connection, channel -> user
        self.model: dict[tuple[int, str], str | None] = {}
        self.opened = 0

    channels = st.sampled_from(["news", "private-x", "presence-x", "presence-cache-y"])
    indices = st.integers(0, 4)

    @rule(index=indices)
    def connect(self, index: int) -> None:
        if index not in self.connections:
            self.opened += 1
            self.connections[index] = self.setting.connect(f"1.{self.opened}")

    @rule(index=indices, name=channels, user=st.sampled_from("abc"))
    def subscribe(self, index: int, name: str, user: str) -> None:
        if index not in self.connections:
            return
        user_id = user if name.startswith("presence-") else None
        before = [known for (_, channel), known in self.model.items() if channel == name]
        result = self.setting.join(self.connections[index], name, user_id)
        if (index, name) in self.model:
            assert result is None
            return
        assert result == (not before, user_id if user_id not in before else None)
        self.model[index, name] = user_id

    @rule(index=indices, name=channels)
    def unsubscribe(self, index: int, name: str) -> None:
        if index in self.connections:
            assert self.setting.leave(self.connections[index], name) == self._expected_leave(index, name)

    @rule(index=indices)
    def disconnect(self, index: int) -> None:
        connection = self.connections.pop(index, None)
        if connection is None:
            return
        left = {one.channel.name: (one.last_here, one.member_removed) for one in self.setting.left(connection)}
        assert left == {name: self._expected_leave(index, name) for known, name in tuple(self.model) if known == index}

    def _expected_leave(self, index: int, name: str) -> tuple[bool, str | None] | None:
        if (index, name) not in self.model:
            return None
        user_id = self.model.pop((index, name))
        rest = [known for (_, channel), known in self.model.items() if channel == name]
        return not rest, user_id if user_id not in rest else None

    @invariant()
    def counts_agree(self) -> None:
        hub = self.setting.hub
        counts = Counter(name for _, name in self.model)
        assert {channel.name: len(channel.subscribers) for channel in hub.channels("1")} == counts
        for channel in hub.channels("1"):
            users = {user for (_, name), user in self.model.items() if name == channel.name}
            assert channel.members is None or set(channel.members) == users
        assert hub.connection_count("1") == len(self.connections)


TestHubAgainstSets = HubAgainstSets.TestCase
TestHubAgainstSets.settings = QUICK
