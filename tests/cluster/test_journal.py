from __future__ import annotations

import json

import pytest

from sockudo.cluster.journal import BURST, Journal
from sockudo.cluster.state import PART_BYTES, AppState, ChannelState, Delta, encode
from tests.support.node import APP_ID, World, make_app


class Told:
    """A node and what its journal has told."""

    def __init__(self) -> None:
        self.world = World(make_app(enable_user_authentication=True, max_presence_members=1000))
        self.clock = self.world.clock
        self.deltas: list[Delta] = []
        self.journal = Journal(self.world.hub, self.clock, 0.005, self.deltas.append)


def test_a_change_is_told_at_the_end_of_the_tick() -> None:
    told = Told()
    told.world.connect()
    told.journal.connections_changed(APP_ID)
    assert told.deltas == []
    told.clock.advance(0)
    assert told.deltas == [Delta(1, {APP_ID: AppState(1, {}, [], [])})]


def test_some_changes_in_a_row_are_each_told_at_once() -> None:
    told = Told()
    for number in range(BURST):
        told.journal.channel_changed(APP_ID, f"c{number}")
        told.clock.advance(0)
    assert [list(delta.apps[APP_ID].channels) for delta in told.deltas] == [[f"c{number}"] for number in range(BURST)]


def test_the_changes_of_a_few_milliseconds_are_gathered_when_there_are_many() -> None:
    told = Told()
    for _ in range(BURST):
        told.journal.connections_changed(APP_ID)
        told.clock.advance(0)
    for name in ("a", "b", "a"):
        told.journal.channel_changed(APP_ID, name)
        told.clock.advance(0.001)
    assert len(told.deltas) == BURST
    told.clock.advance(0.003)
    assert len(told.deltas) == BURST + 1
    assert set(told.deltas[-1].apps[APP_ID].channels) == {"a", "b"}
    told.clock.advance(10)
    assert told.journal.number == len(told.deltas) == BURST + 1


def test_never_more_is_told_than_a_burst_and_then_once_in_each_interval() -> None:
    told = Told()
    for _ in range(1000):
        told.journal.connections_changed(APP_ID)
        told.clock.advance(0.001)
    assert len(told.deltas) == pytest.approx(BURST + 200, abs=2)


def test_the_last_word_on_a_member_and_a_user_is_told() -> None:
    told = Told()
    journal = told.journal
    journal.member_changed(APP_ID, "presence-x", "1", b'{"n":1}')
    journal.member_changed(APP_ID, "presence-x", "1", None)
    journal.member_changed(APP_ID, "presence-x", "2", None)
    journal.member_changed(APP_ID, "presence-x", "2", b"{}")
    journal.user_changed(APP_ID, "1", online=True)
    journal.user_changed(APP_ID, "1", online=False)
    journal.user_changed(APP_ID, "2", online=True)
    told.clock.advance(0)
    (delta,) = told.deltas
    assert delta.apps[APP_ID] == AppState(0, {"presence-x": ChannelState(0, {"2": b"{}"}, ["1"])}, ["2"], ["1"])


def test_what_was_let_through_is_told_once() -> None:
    told = Told()
    told.journal.quota_used(APP_ID, 3, 0)
    told.journal.quota_used(APP_ID, 1, 2)
    told.clock.advance(0)
    told.journal.connections_changed(APP_ID)
    told.clock.advance(0)
    assert [(delta.apps[APP_ID].events, delta.apps[APP_ID].reads) for delta in told.deltas] == [(4, 2), (0, 0)]
    assert [(part.apps.get(APP_ID) or AppState()).events for part in told.journal.snapshot()] == [0]


def test_counts_are_those_of_the_moment_of_telling() -> None:
    told = Told()
    client = told.world.connect()
    told.journal.channel_changed(APP_ID, "news")
    client.say("pusher:subscribe", {"channel": "news"})
    told.clock.advance(0)
    assert told.deltas[0].apps[APP_ID].channels["news"].count == 1


def test_flushing_without_changes_tells_nothing() -> None:
    told = Told()
    told.journal.flush()
    assert (told.deltas, told.journal.number) == ([], 0)


def test_a_snapshot_tells_what_is_pending_before_and_has_everything() -> None:
    told = Told()
    client = told.world.connect()
    client.sign_in("u")
    client.subscribe("presence-x", "1")
    client.subscribe("news")
    told.journal.connections_changed(APP_ID)
    (part,) = told.journal.snapshot()
    assert [delta.number for delta in told.deltas] == [1]
    assert (part.number, part.part, part.parts) == (1, 0, 1)
    assert part.apps == {
        APP_ID: AppState(
            1, {"presence-x": ChannelState(1, {"1": b"{}"}, []), "news": ChannelState(1, {}, [])}, ["u"], []
        )
    }


def test_a_node_that_has_nothing_says_so() -> None:
    (part,) = Told().journal.snapshot()
    assert (part.number, part.part, part.parts, part.apps) == (0, 0, 1, {})


def test_a_large_snapshot_has_several_parts_that_lack_and_repeat_nothing() -> None:
    told = Told()
    client = told.world.connect()
    names = [f"{number:04}" + "x" * 90 for number in range(3000)]
    for name in names:
        client.say("pusher:subscribe", {"channel": name})
    parts = told.journal.snapshot()
    assert [part.part for part in parts] == list(range(len(parts)))
    assert {part.parts for part in parts} == {len(parts)}
    assert len(parts) > 2
    assert max(len(encode(part)) for part in parts) < PART_BYTES * 1.1
    assert [name for part in parts for name in part.apps[APP_ID].channels] == names


def test_a_channel_with_many_members_is_spread_over_several_parts() -> None:
    told = Told()
    members = {f"u{number}": json.dumps({"name": "x" * 500}) for number in range(600)}
    for user_id, info in members.items():
        told.world.connect().subscribe("presence-x", user_id, user_info=json.loads(info))
    parts = told.journal.snapshot()
    assert len(parts) > 2
    assert max(len(encode(part)) for part in parts) < PART_BYTES * 1.3
    states = [part.apps[APP_ID].channels["presence-x"] for part in parts]
    assert [user_id for state in states for user_id in state.joined] == list(members)
    assert {state.count for state in states} == {600}


def test_what_changes_much_at_once_is_told_in_several_deltas() -> None:
    told = Told()
    for number in range(2000):
        told.journal.member_changed(APP_ID, "presence-x", f"u{number}", b"x" * 100 if number % 2 else None)
        told.journal.user_changed(APP_ID, f"v{number}", online=bool(number % 2))
    told.clock.advance(0)
    assert [delta.number for delta in told.deltas] == list(range(1, len(told.deltas) + 1)) != [1]
    assert told.journal.number == len(told.deltas)
    assert max(len(encode(delta)) for delta in told.deltas) < PART_BYTES * 1.3
    states = [delta.apps[APP_ID] for delta in told.deltas]
    channels = [state.channels["presence-x"] for state in states if state.channels]
    assert [user_id for state in channels for user_id in state.joined] == [f"u{n}" for n in range(1, 2000, 2)]
    assert [user_id for state in channels for user_id in state.left] == [f"u{n}" for n in range(0, 2000, 2)]
    assert [user_id for state in states for user_id in state.online] == [f"v{n}" for n in range(1, 2000, 2)]
    assert [user_id for state in states for user_id in state.offline] == [f"v{n}" for n in range(0, 2000, 2)]
