from __future__ import annotations

from collections import Counter

from sockudo.cluster.messages.state import AppState, ChannelState, Delta, SnapshotPart
from sockudo.cluster.nodes import MAX_BUFFERED, MAX_BUFFERED_BYTES, MAX_LEFT, MOST_NODES, Nodes, Peer


def apps(*names: str) -> dict[str, AppState]:
    return {"app": AppState(1, {name: ChannelState(1, {}, []) for name in names}, [], [])}


def synced(number: int) -> Peer:
    """Return a peer that everything up to a number is known of."""
    peer = Peer("a", 0.0)
    assert peer.take_part(SnapshotPart(number, 0, True, {})) == {}
    return peer


def test_a_new_peer_is_not_synced_until_its_snapshot() -> None:
    peer = Peer("a", 0.0)
    assert not peer.is_synced
    assert not peer.take_delta(Delta(1, {}))
    assert peer.take_part(SnapshotPart(1, 0, True, apps("x"))) == apps("x")
    assert peer.is_synced
    assert peer.next_deltas() == []


def test_deltas_are_taken_one_after_the_other_and_each_once() -> None:
    peer = synced(5)
    assert [peer.take_delta(Delta(number, {})) for number in (6, 6, 5, 7, 1)] == [True, False, False, True, False]
    assert (peer.number, peer.is_synced) == (7, True)


def test_a_missing_delta_unsyncs_a_peer_and_keeps_later_ones() -> None:
    peer = synced(5)
    assert not peer.take_delta(Delta(7, {}))
    assert not peer.is_synced
    assert not peer.take_delta(Delta(8, {}))
    assert peer.take_part(SnapshotPart(6, 0, True, {})) == {}
    assert [delta.number for delta in peer.next_deltas()] == [7, 8]
    assert (peer.number, peer.is_synced) == (8, True)


def test_a_gap_after_the_snapshot_makes_it_unsynced_again() -> None:
    peer = Peer("a", 0.0)
    for number in (3, 4, 6):
        peer.take_delta(Delta(number, {}))
    peer.take_part(SnapshotPart(3, 0, True, {}))
    assert [delta.number for delta in peer.next_deltas()] == [4]
    assert not peer.is_synced
    peer.take_part(SnapshotPart(5, 0, True, {}))
    assert [delta.number for delta in peer.next_deltas()] == [6]
    assert peer.is_synced


def test_only_a_number_that_is_ahead_makes_a_peer_unsynced() -> None:
    peer = synced(5)
    peer.take_number(5)
    peer.take_number(4)
    assert peer.is_synced
    peer.take_number(6)
    assert not peer.is_synced


def test_an_old_snapshot_is_dropped() -> None:
    peer = synced(5)
    assert peer.take_part(SnapshotPart(4, 0, True, apps("x"))) is None
    assert (peer.number, peer.is_synced) == (5, True)


def test_no_more_than_so_many_deltas_are_kept() -> None:
    peer = Peer("a", 0.0)
    for number in range(1, MAX_BUFFERED + 2):
        peer.take_delta(Delta(number, {}))
    peer.take_part(SnapshotPart(0, 0, True, {}))
    assert peer.next_deltas() == []
    assert not peer.is_synced


def test_no_more_than_so_many_bytes_of_deltas_are_kept() -> None:
    peer = Peer("a", 0.0)
    for number in (1, 2, 3):
        peer.take_delta(Delta(number, {}), MAX_BUFFERED_BYTES // 2)
    peer.take_part(SnapshotPart(2, 0, True, {}))
    assert [delta.number for delta in peer.next_deltas()] == [3]
    peer.take_part(SnapshotPart(0, 0, True, {}))
    assert peer.next_deltas() == []


def test_a_node_is_new_first_and_silent_after_the_timeout() -> None:
    nodes = Nodes("own", 30.0)
    assert nodes.known("a") is None
    peer = nodes.heard("a", 0.0)
    assert peer is not None
    assert nodes.heard("a", 10.0) is peer
    nodes.heard("b", 5.0)
    assert nodes.silent(35.0) == []
    assert nodes.silent(35.1) == ["b"]
    assert nodes.forget("b")
    assert not nodes.forget("b")
    assert (len(nodes), nodes.known("b"), nodes.known("a")) == (1, None, peer)


def test_no_more_than_so_many_nodes_are_known_at_once() -> None:
    nodes = Nodes("own", 30.0)
    for number in range(MOST_NODES):
        assert nodes.heard(f"n{number}", 0.0) is not None
    assert nodes.heard("one too many", 0.0) is None
    assert nodes.heard("n0", 1.0) is not None
    nodes.forget("n1")
    assert nodes.heard("one too many", 1.0) is not None


def test_excused_silence_is_taken_back_and_never_granted_ahead() -> None:
    nodes = Nodes("own", 30.0)
    nodes.heard("a", 0.0)
    nodes.heard("b", 100.0)
    nodes.excuse(90.0, 100.0)
    assert nodes.silent(120.0) == []
    assert nodes.silent(120.1) == ["a"]
    assert nodes.silent(130.1) == ["a", "b"]


def test_only_nodes_that_said_goodbye_are_remembered_for_a_while() -> None:
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


def test_all_nodes_name_the_same_owner_and_spread_channels_evenly() -> None:
    first, *others = cluster_of("a", "b", "c")
    owners = [first.owner("app", name) for name in CHANNELS]
    for nodes in others:
        assert [nodes.owner("app", name) for name in CHANNELS] == owners
    assert all(800 < count < 1200 for count in Counter(owners).values())
    assert [first.owner("other", name) for name in CHANNELS] != owners


def test_only_channels_of_a_node_that_comes_or_goes_move() -> None:
    nodes = cluster_of("a", "b", "c")[0]
    before = {name: nodes.owner("app", name) for name in CHANNELS}
    nodes.forget("c")
    after = {name: nodes.owner("app", name) for name in CHANNELS}
    assert all(after[name] == owner for name, owner in before.items() if owner != "c")
    assert "c" not in after.values()
    nodes.heard("c", 1.0)
    assert {name: nodes.owner("app", name) for name in CHANNELS} == before
