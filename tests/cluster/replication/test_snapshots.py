from __future__ import annotations

import json

import msgspec

from sockudo.cluster.counters import ClusterCounters
from sockudo.cluster.messages import envelope
from sockudo.cluster.messages.state import PART_BYTES, AppState, ChannelState, Delta, SnapshotPart
from sockudo.cluster.messages.topics import node_topic
from sockudo.cluster.messages.voice import Voice
from sockudo.cluster.replication.journal import DeltaJournal
from sockudo.cluster.replication.remote_work import RemoteWork
from sockudo.cluster.replication.snapshots import Snapshots
from sockudo.node.limits import NodeLimits
from tests.fakes.node import APP_ID, World, make_app
from tests.servers.cluster import Bus

NODE, OTHER, THIRD = "00000000000000aa", "00000000000000bb", "00000000000000cc"


class Told:
    """A node, what its journal has told, and the snapshots that it has sent."""

    def __init__(self) -> None:
        self.world = World(
            make_app(enable_user_authentication=True, max_presence_members=1000),
            limits=NodeLimits(max_channels_per_connection=0),
        )
        self.clock = self.world.clock
        self.deltas: list[Delta] = []
        self.counters = ClusterCounters()
        self.journal = DeltaJournal(self.world.hub, self.clock, 0.005, self.deltas.append)
        self.adapter = Bus().adapter()
        self.adapter.is_connected = True
        work = RemoteWork(self.clock, self._failed)
        self.snapshots = Snapshots(self.world.hub, self.journal, Voice(self.adapter, NODE), work, self.counters)

    @staticmethod
    def _failed(error: Exception) -> None:
        raise error

    def parts(self, node_id: str = OTHER) -> list[SnapshotPart]:
        """Return what was sent to a node."""
        said = [data for topic, data in self.adapter.published if topic == node_topic(node_id)]
        return [msgspec.msgpack.decode(data[envelope.HEADER_BYTES :], type=SnapshotPart) for data in said]

    def snapshot(self) -> list[SnapshotPart]:
        """Send a whole snapshot."""
        self.snapshots.send_to(OTHER)
        self.clock.advance(0)
        return self.parts()


def test_a_snapshot_tells_what_is_pending_before_and_has_everything() -> None:
    told = Told()
    client = told.world.connect()
    client.sign_in("u")
    client.subscribe("presence-x", "1")
    client.subscribe("news")
    told.journal.connections_changed(APP_ID)
    (part,) = told.snapshot()
    assert [delta.number for delta in told.deltas] == [1]
    assert (part.number, part.part, part.is_last) == (1, 0, True)
    assert part.apps == {
        APP_ID: AppState(
            1, {"presence-x": ChannelState(1, {"1": b"{}"}, []), "news": ChannelState(1, {}, [])}, ["u"], []
        )
    }


def test_a_node_that_has_nothing_says_so() -> None:
    (part,) = Told().snapshot()
    assert (part.number, part.part, part.is_last, part.apps) == (0, 0, True, {})


def test_what_was_let_through_is_in_no_snapshot() -> None:
    told = Told()
    told.journal.quota_used(APP_ID, 3, 2)
    assert [state.events for part in told.snapshot() for state in part.apps.values()] == []
    assert [delta.apps[APP_ID].events for delta in told.deltas] == [3]


def subscribe_to_many(told: Told) -> list[str]:
    client = told.world.connect()
    names = [f"{number:04}" + "x" * 40 for number in range(9000)]
    for name in names:
        client.say("pusher:subscribe", {"channel": name})
    return names


def test_parts_of_a_large_snapshot_lack_and_repeat_nothing() -> None:
    told = Told()
    names = subscribe_to_many(told)
    parts = told.snapshot()
    assert [part.part for part in parts] == list(range(len(parts)))
    assert [part.is_last for part in parts] == [False] * (len(parts) - 1) + [True]
    assert len(parts) > 2
    assert max(len(msgspec.msgpack.encode(part)) for part in parts) < PART_BYTES * 1.1
    assert [name for part in parts for name in part.apps[APP_ID].channels] == names


def test_a_channel_with_many_members_is_spread_over_several_parts() -> None:
    told = Told()
    members = {f"u{number}": json.dumps({"name": "x" * 500}) for number in range(600)}
    for user_id, info in members.items():
        told.world.connect().subscribe("presence-x", user_id, user_info=json.loads(info))
    parts = told.snapshot()
    assert len(parts) > 2
    assert max(len(msgspec.msgpack.encode(part)) for part in parts) < PART_BYTES * 1.3
    states = [part.apps[APP_ID].channels["presence-x"] for part in parts]
    assert [user_id for state in states for user_id in state.joined] == list(members)
    assert {state.count for state in states} == {600}


def test_a_large_snapshot_is_made_tick_by_tick() -> None:
    told = Told()
    names = subscribe_to_many(told)
    told.snapshots.send_to(OTHER)
    ticks = [len(told.parts())]
    assert not told.parts()[-1].is_last
    while told.clock.run_soon():
        ticks.append(len(told.parts()))
    assert len(set(ticks)) > 3
    assert sum(len(part.apps[APP_ID].channels) for part in told.parts()) == len(names)


def test_clients_may_come_and_go_while_a_snapshot_is_made() -> None:
    told = Told()
    names = subscribe_to_many(told)
    late, user = told.world.connect(), told.world.connect()
    late.subscribe("late")
    user.sign_in("u")
    told.snapshots.send_to(OTHER)
    late.unsubscribe("late")
    user.leave()
    for number in range(100):
        told.world.connect().subscribe(f"newcomer-{number}")
    told.clock.advance(0)
    assert told.parts()[-1].is_last
    found = {name for part in told.parts() for name in part.apps[APP_ID].channels}
    assert set(names) <= found
    assert "late" not in found


def test_nodes_that_ask_meanwhile_share_the_next_snapshot() -> None:
    told = Told()
    subscribe_to_many(told)
    told.snapshots.send_to(OTHER)
    told.snapshots.send_to(THIRD)
    told.snapshots.send_to("00000000000000dd")
    told.snapshots.send_to(THIRD)
    told.clock.advance(0)
    assert told.counters.snapshots_sent == 3
    assert told.parts(THIRD) == told.parts("00000000000000dd")
    assert told.parts(OTHER)[-1].is_last
    assert sum(part.is_last for part in told.parts(THIRD)) == 1
