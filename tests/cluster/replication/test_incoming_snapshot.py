from __future__ import annotations

from sockudo.cluster.messages.state import AppState, ChannelState, SnapshotPart
from sockudo.cluster.replication.incoming_snapshot import MOST_PARTS, IncomingSnapshot


def apps(*names: str) -> dict[str, AppState]:
    return {"app": AppState(1, {name: ChannelState(1, {}, []) for name in names}, [], [])}


def test_the_parts_of_a_snapshot_are_merged() -> None:
    snapshot = IncomingSnapshot()
    one = {"app": AppState(3, {"presence-x": ChannelState(2, {"1": b"1"}, [])}, ["1"], [])}
    two = {
        "app": AppState(3, {"presence-x": ChannelState(2, {"2": b"2"}, []), "y": ChannelState(1, {}, [])}, ["2"], [])
    }
    assert snapshot.take(SnapshotPart(1, 0, False, one)) is None
    assert snapshot.take(SnapshotPart(1, 1, True, two)) == {
        "app": AppState(
            3,
            {"presence-x": ChannelState(2, {"1": b"1", "2": b"2"}, []), "y": ChannelState(1, {}, [])},
            ["1", "2"],
            [],
        )
    }


def test_a_snapshot_with_a_missing_part_is_dropped() -> None:
    snapshot = IncomingSnapshot()
    assert snapshot.take(SnapshotPart(1, 1, True, apps("y"))) is None
    assert snapshot.take(SnapshotPart(1, 0, False, apps("x"))) is None
    assert snapshot.take(SnapshotPart(1, 2, True, apps("y"))) is None
    assert snapshot.take(SnapshotPart(1, 1, True, apps("y"))) is None


def test_parts_of_two_snapshots_are_not_mixed() -> None:
    snapshot = IncomingSnapshot()
    assert snapshot.take(SnapshotPart(1, 0, False, apps("old"))) is None
    assert snapshot.take(SnapshotPart(2, 1, True, apps("y"))) is None
    assert snapshot.take(SnapshotPart(1, 0, False, apps("old"))) is None
    assert snapshot.take(SnapshotPart(2, 0, True, apps("x"))) == apps("x")


def test_a_snapshot_without_an_end_is_dropped() -> None:
    snapshot = IncomingSnapshot()
    for number in range(MOST_PARTS):
        assert snapshot.take(SnapshotPart(1, number, False, apps(f"c{number}"))) is None
    assert snapshot.take(SnapshotPart(1, MOST_PARTS, True, apps("last"))) is None
