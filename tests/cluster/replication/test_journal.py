from __future__ import annotations

import pytest

from sockudo.cluster.messages.state import PART_BYTES, AppState, ChannelState, Delta, encode
from sockudo.cluster.replication.journal import BURST, MOST_AT_ONCE, DeltaJournal
from tests.fakes.node import APP_ID, World, make_app


class Told:
    """A node and what its journal has told."""

    def __init__(self) -> None:
        self.world = World(make_app(enable_user_authentication=True, max_presence_members=1000))
        self.clock = self.world.clock
        self.deltas: list[Delta] = []
        self.journal = DeltaJournal(self.world.hub, self.clock, 0.005, self.deltas.append)


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


def test_many_changes_within_a_few_milliseconds_are_gathered() -> None:
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


def test_at_most_a_burst_is_told_then_once_each_interval() -> None:
    told = Told()
    for _ in range(1000):
        told.journal.connections_changed(APP_ID)
        told.clock.advance(0.001)
    assert len(told.deltas) == pytest.approx(BURST + 200, abs=2)


def test_only_the_final_state_of_members_and_users_is_told() -> None:
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


def test_what_is_very_much_is_told_tick_by_tick() -> None:
    told, many = Told(), 3 * MOST_AT_ONCE
    told.journal.quota_used(APP_ID, 3, 2)
    for number in range(many):
        told.journal.channel_changed(APP_ID, f"c{number}")
        told.journal.member_changed(APP_ID, "presence-x", f"u{number}", b"{}")
        told.journal.user_changed(APP_ID, f"v{number}", online=True)
    names, members, online, ticks = list[str](), list[str](), list[str](), 0
    while told.clock.run_soon() or told.deltas:
        ticks += 1
        states = [delta.apps[APP_ID] for delta in told.deltas]
        told.deltas.clear()
        names += (found := [name for state in states for name in state.channels if name != "presence-x"])
        members += (joined := [one for state in states for part in state.channels.values() for one in part.joined])
        online += (users := [one for state in states for one in state.online])
        assert len(found) + len(joined) + len(users) <= MOST_AT_ONCE
        assert sum(state.events for state in states) == (3 if ticks == 1 else 0)
    assert sorted(names) == sorted(f"c{number}" for number in range(many))
    assert members == [f"u{number}" for number in range(many)]
    assert online == [f"v{number}" for number in range(many)]


def test_what_changes_while_much_is_told_is_told_too() -> None:
    told = Told()
    for number in range(2 * MOST_AT_ONCE):
        told.journal.user_changed(APP_ID, f"v{number}", online=True)
    told.clock.run_soon()
    told.journal.user_changed(APP_ID, "v0", online=False)
    told.journal.user_changed(APP_ID, f"v{2 * MOST_AT_ONCE - 1}", online=False)
    told.clock.advance(1)
    said: dict[str, bool] = {}
    for delta in told.deltas:
        for state in delta.apps.values():
            said.update(dict.fromkeys(state.online, True), **dict.fromkeys(state.offline, False))
    assert len(said) == 2 * MOST_AT_ONCE
    assert [user_id for user_id, online in said.items() if not online] == ["v0", f"v{2 * MOST_AT_ONCE - 1}"]
