from __future__ import annotations

from collections import Counter

from sockudo.cluster.nodes import MAX_BUFFERED, MAX_LEFT, Nodes, Peer
from sockudo.cluster.state import AppState, ChannelState, Delta, SnapshotPart


def apps(*names: str) -> dict[str, AppState]:
    return {"app": AppState(1, {name: ChannelState(1, {}, []) for name in names}, [], [])}


def synced(number: int) -> Peer:
    """Return a peer that everything up to a number is known of."""
    peer = Peer("a", 0.0)
    assert peer.take_part(SnapshotPart(number, 0, 1, {})) == {}
    return peer


def test_a_new_peer_is_not_synced_until_its_snapshot() -> None:
    peer = Peer("a", 0.0)
    assert not peer.is_synced
    assert not peer.take_delta(Delta(1, {}))
    assert peer.take_part(SnapshotPart(1, 0, 1, apps("x"))) == apps("x")
    assert peer.is_synced
    assert peer.next_deltas() == []


def test_deltas_are_taken_one_after_the_other_and_each_once() -> None:
    peer = synced(5)
    assert [peer.take_delta(Delta(number, {})) for number in (6, 6, 5, 7, 1)] == [True, False, False, True, False]
    assert (peer.number, peer.is_synced) == (7, True)


def test_a_missing_delta_makes_a_peer_unsynced_and_the_later_ones_are_kept() -> None:
    peer = synced(5)
    assert not peer.take_delta(Delta(7, {}))
    assert not peer.is_synced
    assert not peer.take_delta(Delta(8, {}))
    assert peer.take_part(SnapshotPart(6, 0, 1, {})) == {}
    assert [delta.number for delta in peer.next_deltas()] == [7, 8]
    assert (peer.number, peer.is_synced) == (8, True)


def test_a_gap_after_the_snapshot_makes_it_unsynced_again() -> None:
    peer = Peer("a", 0.0)
    for number in (3, 4, 6):
        peer.take_delta(Delta(number, {}))
    peer.take_part(SnapshotPart(3, 0, 1, {}))
    assert [delta.number for delta in peer.next_deltas()] == [4]
    assert not peer.is_synced
    peer.take_part(SnapshotPart(5, 0, 1, {}))
    assert [delta.number for delta in peer.next_deltas()] == [6]
    assert peer.is_synced


def test_a_number_that_is_ahead_makes_a_peer_unsynced_and_one_that_is_not_does_not() -> None:
    peer = synced(5)
    peer.take_number(5)
    peer.take_number(4)
    assert peer.is_synced
    peer.take_number(6)
    assert not peer.is_synced


def test_the_parts_of_a_snapshot_are_merged_in_any_order() -> None:
    peer = Peer("a", 0.0)
    one = {"app": AppState(3, {"presence-x": ChannelState(2, {"1": b"1"}, [])}, ["1"], [])}
    two = {
        "app": AppState(3, {"presence-x": ChannelState(2, {"2": b"2"}, []), "y": ChannelState(1, {}, [])}, ["2"], [])
    }
    assert peer.take_part(SnapshotPart(1, 1, 2, two)) is None
    assert peer.take_part(SnapshotPart(1, 1, 2, two)) is None
    whole = peer.take_part(SnapshotPart(1, 0, 2, one))
    assert whole == {
        "app": AppState(
            3,
            {"presence-x": ChannelState(2, {"1": b"1", "2": b"2"}, []), "y": ChannelState(1, {}, [])},
            ["1", "2"],
            [],
        )
    }


def test_parts_of_two_snapshots_are_not_mixed() -> None:
    peer = Peer("a", 0.0)
    assert peer.take_part(SnapshotPart(1, 0, 2, apps("old"))) is None
    assert peer.take_part(SnapshotPart(2, 1, 2, apps("y"))) is None
    assert peer.take_part(SnapshotPart(2, 0, 2, apps("x"))) == {
        "app": AppState(1, {"x": ChannelState(1, {}, []), "y": ChannelState(1, {}, [])}, [], [])
    }


def test_an_old_snapshot_and_an_impossible_part_are_dropped() -> None:
    peer = synced(5)
    assert peer.take_part(SnapshotPart(4, 0, 1, apps("x"))) is None
    for part, parts in ((0, 0), (1, 1), (-1, 1), (0, -1)):
        assert peer.take_part(SnapshotPart(6, part, parts, apps("x"))) is None
    assert (peer.number, peer.is_synced) == (5, True)


def test_no_more_than_so_many_deltas_are_kept() -> None:
    peer = Peer("a", 0.0)
    for number in range(1, MAX_BUFFERED + 2):
        peer.take_delta(Delta(number, {}))
    peer.take_part(SnapshotPart(0, 0, 1, {}))
    assert peer.next_deltas() == []
    assert not peer.is_synced


def test_a_node_is_new_when_it_is_first_heard_and_silent_after_the_timeout() -> None:
    nodes = Nodes("own", 30.0)
    peer, is_new = nodes.heard("a", 0.0)
    assert is_new
    assert nodes.heard("a", 10.0) == (peer, False)
    nodes.heard("b", 5.0)
    assert nodes.silent(35.0) == []
    assert nodes.silent(35.1) == ["b"]
    assert nodes.forget("b")
    assert not nodes.forget("b")
    assert (len(nodes), nodes.known("b"), nodes.known("a")) == (1, None, peer)


def test_excused_silence_is_taken_back_and_none_is_granted_in_advance() -> None:
    nodes = Nodes("own", 30.0)
    nodes.heard("a", 0.0)
    nodes.heard("b", 100.0)
    nodes.excuse(90.0, 100.0)
    assert nodes.silent(120.0) == []
    assert nodes.silent(120.1) == ["a"]
    assert nodes.silent(130.1) == ["a", "b"]


def test_only_a_node_that_said_goodbye_is_remembered_and_not_for_ever() -> None:
    nodes = Nodes("own", 30.0)
    nodes.heard("a", 0.0)
    nodes.heard("b", 0.0)
    assert nodes.leave("a")
    assert not nodes.leave("a")
    nodes.forget("b")
    assert (nodes.has_left("a"), nodes.has_left("b")) == (True, False)
    for number in range(MAX_LEFT):
        nodes.leave(f"n{number}")
    assert not nodes.has_left("a")
    assert nodes.has_left("n0")


def cluster_of(*ids: str) -> list[Nodes]:
    """Return what each of some nodes knows of the others."""
    found = []
    for own in ids:
        nodes = Nodes(own, 30.0)
        for other in reversed(ids):
            if other != own:
                nodes.heard(other, 0.0)
        found.append(nodes)
    return found


CHANNELS = [f"channel-{number}" for number in range(3000)]


def test_all_nodes_name_the_same_owner_and_the_channels_are_spread_evenly() -> None:
    first, *others = cluster_of("a", "b", "c")
    owners = [first.owner("app", name) for name in CHANNELS]
    for nodes in others:
        assert [nodes.owner("app", name) for name in CHANNELS] == owners
    assert all(800 < count < 1200 for count in Counter(owners).values())
    assert [first.owner("other", name) for name in CHANNELS] != owners


def test_only_the_channels_of_a_node_that_comes_or_goes_move() -> None:
    nodes = cluster_of("a", "b", "c")[0]
    before = {name: nodes.owner("app", name) for name in CHANNELS}
    nodes.forget("c")
    after = {name: nodes.owner("app", name) for name in CHANNELS}
    assert all(after[name] == owner for name, owner in before.items() if owner != "c")
    assert "c" not in after.values()
    nodes.heard("c", 1.0)
    assert {name: nodes.owner("app", name) for name in CHANNELS} == before
