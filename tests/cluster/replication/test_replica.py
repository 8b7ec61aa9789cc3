from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sockudo.cluster.messages.state import AppState, ChannelState
from sockudo.cluster.replication.portions import PORTION
from sockudo.cluster.replication.replica import Change, ChangeKind, Replica
from tests.support.properties import THOROUGH

APP, ROOM = "app", "presence-x"


def room(count: int, *joined: str, left: tuple[str, ...] = (), info: bytes = b"{}") -> dict[str, AppState]:
    return {APP: AppState(count, {ROOM: ChannelState(count, dict.fromkeys(joined, info), list(left))}, [], [])}


def purged(replica: Replica, node_id: str) -> list[Change]:
    return [change for step in replica.purging(node_id) for change in step]


def replaced(replica: Replica, node_id: str, apps: dict[str, AppState]) -> list[Change]:
    return [change for step in replica.replacing(node_id, apps) for change in step]


def users(online: tuple[str, ...] = (), offline: tuple[str, ...] = ()) -> dict[str, AppState]:
    return {APP: AppState(1, {}, list(online), list(offline))}


def test_counts_are_summed_over_the_nodes() -> None:
    replica = Replica()
    assert replica.apply("a", room(2)) == [Change(ChangeKind.OCCUPIED, APP, ROOM), Change(ChangeKind.COUNT, APP, ROOM)]
    assert replica.apply("b", room(3)) == [Change(ChangeKind.COUNT, APP, ROOM)]
    assert replica.apply("b", room(3)) == []
    channel = replica.channel(APP, ROOM)
    assert channel is not None
    assert (channel.count, replica.connection_count(APP)) == (5, 5)
    replica.apply("a", room(0))
    assert (channel.count, channel.counts) == (3, {"b": 3})


def test_a_channel_is_occupied_from_first_node_to_last() -> None:
    replica = Replica()
    kinds = [change.kind for change in replica.apply("a", room(1, "1"))]
    assert kinds == [ChangeKind.OCCUPIED, ChangeKind.MEMBER_ADDED, ChangeKind.COUNT]
    assert {change.kind for change in replica.apply("b", room(1, "2"))} == {ChangeKind.MEMBER_ADDED, ChangeKind.COUNT}
    assert {change.kind for change in purged(replica, "a")} == {ChangeKind.MEMBER_REMOVED, ChangeKind.COUNT}
    kinds = [change.kind for change in replica.apply("b", room(0, left=("2",)))]
    assert kinds == [ChangeKind.MEMBER_REMOVED, ChangeKind.COUNT, ChangeKind.VACATED]
    assert replica.apply("b", room(0, left=("2",))) == []


def test_only_a_members_first_and_last_node_are_news() -> None:
    replica = Replica()
    added = Change(ChangeKind.MEMBER_ADDED, APP, ROOM, "1", b'{"n":1}')
    assert replica.apply("a", room(1, "1", info=b'{"n":1}'))[1] == added
    assert replica.apply("b", room(1, "1", info=b'{"n":2}')) == [Change(ChangeKind.COUNT, APP, ROOM)]
    assert replica.apply("a", room(0, left=("1",))) == [Change(ChangeKind.COUNT, APP, ROOM)]
    assert replica.has_member(APP, ROOM, "1")
    assert replica.apply("b", room(0, left=("1",)))[0] == Change(ChangeKind.MEMBER_REMOVED, APP, ROOM, "1")
    assert not replica.has_member(APP, ROOM, "1")


def test_a_member_back_with_other_info_has_left_and_come() -> None:
    replica = Replica()
    replica.apply("a", room(1, "1", info=b'{"n":1}'))
    assert replica.apply("a", room(1, "1", info=b'{"n":2}')) == [
        Change(ChangeKind.MEMBER_REMOVED, APP, ROOM, "1"),
        Change(ChangeKind.MEMBER_ADDED, APP, ROOM, "1", b'{"n":2}'),
    ]
    channel = replica.channel(APP, ROOM)
    assert channel is not None
    assert channel.entries == {"1": b'\\"1\\":{\\"n\\":2}'}
    assert replica.apply("a", room(1, "1", info=b'{"n":2}')) == []


def test_a_user_is_online_from_first_node_to_last() -> None:
    replica = Replica()
    assert replica.apply("a", users(("1",))) == [Change(ChangeKind.ONLINE, APP, "1")]
    assert replica.apply("b", users(("1",))) == []
    assert replica.apply("a", users((), ("1",))) == []
    assert replica.is_online(APP, "1")
    assert replica.apply("b", users((), ("1", "unknown"))) == [Change(ChangeKind.OFFLINE, APP, "1")]
    assert not replica.is_online(APP, "1")


def test_what_a_node_let_through_is_told_and_leaves_nothing() -> None:
    replica = Replica()
    used = Change(ChangeKind.QUOTA_USED, APP, "", events=3, reads=1)
    assert replica.apply("n1", {APP: AppState(events=3, reads=1)}) == [used]
    assert replica.apply("n1", {APP: AppState(events=3, reads=1)}) == [used]
    assert replaced(replica, "n1", {}) == []


def test_leaving_where_one_never_was_is_no_change() -> None:
    replica = Replica()
    replica.apply("a", room(1, "1"))
    assert replica.apply("b", room(0, left=("1", "2"))) == []
    assert replica.has_member(APP, ROOM, "1")


def test_a_snapshot_changes_what_is_different_and_nothing_else() -> None:
    replica = Replica()
    replica.apply("a", room(2, "1", "2") | {"gone": AppState(4, {"x": ChannelState(4, {}, [])}, ["9"], [])})
    replica.apply("b", room(1, "2"))
    assert (
        replaced(replica, "a", room(2, "1", "2") | {"gone": AppState(4, {"x": ChannelState(4, {}, [])}, ["9"], [])})
        == []
    )
    assert set(replaced(replica, "a", room(2, "2", "3"))) == {
        Change(ChangeKind.MEMBER_ADDED, APP, ROOM, "3"),
        Change(ChangeKind.MEMBER_REMOVED, APP, ROOM, "1"),
        Change(ChangeKind.COUNT, "gone", "x"),
        Change(ChangeKind.VACATED, "gone", "x"),
        Change(ChangeKind.OFFLINE, "gone", "9"),
    }
    assert list(replica.channels("gone")) == []


def test_nothing_is_left_of_a_purged_node() -> None:
    replica = Replica()
    replica.apply("a", room(2, "1") | {"other": AppState(1, {"x": ChannelState(1, {}, [])}, ["1"], [])})
    kinds = {change.kind for change in purged(replica, "a")}
    assert kinds == {ChangeKind.MEMBER_REMOVED, ChangeKind.COUNT, ChangeKind.VACATED, ChangeKind.OFFLINE}
    assert replica._apps == {}
    assert purged(replica, "a") == []


def test_a_large_node_is_forgotten_in_steps_while_others_change() -> None:
    replica, many = Replica(), 20 * PORTION + 1
    channels = {f"presence-{number}": ChannelState(1, {"ann": b"{}"}, []) for number in range(many)}
    replica.apply("a", {APP: AppState(many, channels, [f"user-{number}" for number in range(many)], [])})
    replica.apply("b", {APP: AppState(1, {"presence-0": ChannelState(1, {"bob": b"{}"}, [])}, [], [])})
    steps = replica.purging("a")
    first = next(steps)
    assert 0 < len(first) <= 3 * PORTION
    assert replica.connection_count(APP) == 1
    # Meanwhile another node comes to a channel of the next step, and one leaves.
    replica.apply("b", {APP: AppState(1, {f"presence-{many - 1}": ChannelState(1, {"ann": b"{}"}, [])}, [], [])})
    replica.apply("b", {APP: AppState(1, {"presence-0": ChannelState(0, {}, ["bob"])}, [], [])})
    rest = list(steps)
    assert max(len(step) for step in rest) <= 3 * PORTION
    assert list(replica.channels(APP)) == [f"presence-{many - 1}"]
    assert replica.has_member(APP, f"presence-{many - 1}", "ann")
    assert not replica.is_online(APP, f"user-{many - 1}")
    vacated = [change.name for step in (first, *rest) for change in step if change.kind is ChangeKind.VACATED]
    # One was still occupied when its step came, and was vacated by who was left.
    assert len(vacated) == len(set(vacated)) == many - 2


def test_an_app_that_vanished_between_two_steps_is_no_obstacle() -> None:
    replica = Replica()
    for app_id in ("one", "two"):
        replica.apply("a", {app_id: AppState(1, {"news": ChannelState(1, {}, [])}, [], [])})
    steps = replica.purging("a")
    next(steps)
    replaced(replica, "a", {})
    assert [change for step in steps for change in step] == []
    assert purged(replica, "a") == []


def test_of_an_unknown_app_there_is_nothing() -> None:
    replica = Replica()
    assert replica.channel(APP, ROOM) is None
    assert list(replica.channels(APP)) == []
    assert replica.connection_count(APP) == 0
    assert not replica.is_online(APP, "1")
    assert not replica.has_member(APP, ROOM, "1")


user_ids = st.sets(st.sampled_from("123"))
states = st.builds(
    lambda members, online, count: {
        APP: AppState(count, {ROOM: ChannelState(len(members), dict.fromkeys(members, b"{}"), [])}, list(online), [])
    },
    user_ids,
    user_ids,
    st.integers(0, 5),
)


@THOROUGH
@given(st.lists(st.tuples(st.sampled_from("abc"), states | st.just({})), max_size=12))
def test_the_replica_sums_snapshots_and_tells_each_change_once(
    snapshots: list[tuple[str, dict[str, AppState]]],
) -> None:
    replica, last = Replica(), dict[str, dict[str, AppState]]()
    members, online, occupied = set[str](), set[str](), set[str]()
    for node, snapshot in snapshots:
        last[node] = snapshot
        for change in replaced(replica, node, snapshot):
            if change.kind is ChangeKind.MEMBER_ADDED:
                assert change.user_id not in members
                members.add(change.user_id)
            elif change.kind is ChangeKind.MEMBER_REMOVED:
                members.remove(change.user_id)
            elif change.kind is ChangeKind.ONLINE:
                assert change.name not in online
                online.add(change.name)
            elif change.kind is ChangeKind.OFFLINE:
                online.remove(change.name)
            elif change.kind is ChangeKind.OCCUPIED:
                assert change.name not in occupied
                occupied.add(change.name)
            elif change.kind is ChangeKind.VACATED:
                occupied.remove(change.name)
    parts = [state[APP] for state in last.values() if state]
    assert members == {user_id for part in parts for user_id in part.channels[ROOM].joined}
    assert online == {user_id for part in parts for user_id in part.online}
    assert replica.connection_count(APP) == sum(part.connections for part in parts)
    channel = replica.channel(APP, ROOM)
    assert occupied == ({ROOM} if any(part.channels[ROOM].count for part in parts) else set())
    assert (0 if channel is None else channel.count) == sum(part.channels[ROOM].count for part in parts)
    for node in "abc":
        purged(replica, node)
    assert replica._apps == {}
