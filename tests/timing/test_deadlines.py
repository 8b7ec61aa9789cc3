from __future__ import annotations

import gc
import weakref

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sockudo.timing.deadlines import Deadlines


class Item:
    def __init__(self) -> None:
        self.deadline = 0


def test_an_item_comes_due_in_its_second_and_only_once() -> None:
    wheel: Deadlines[Item] = Deadlines(now=100)
    item = Item()
    wheel.schedule(item, 103)
    assert item.deadline == 103
    assert wheel.due(102) == []
    assert wheel.due(103) == [item]
    assert wheel.due(104) == []
    assert item.deadline == 0


def test_a_second_that_has_passed_means_the_next_tick() -> None:
    wheel: Deadlines[Item] = Deadlines(now=100)
    late, now = Item(), Item()
    wheel.schedule(late, 3)
    wheel.schedule(now, 100)
    assert wheel.due(100) == []
    assert set(wheel.due(101)) == {late, now}


def test_scheduling_again_moves_the_item() -> None:
    wheel: Deadlines[Item] = Deadlines()
    item = Item()
    wheel.schedule(item, 5)
    wheel.schedule(item, 9)
    assert len(wheel) == 1
    assert wheel.due(8) == []
    wheel.schedule(item, 9)
    assert len(wheel) == 1
    assert wheel.due(9) == [item]
    assert len(wheel) == 0


def test_an_item_can_be_scheduled_again_after_it_came_due() -> None:
    wheel: Deadlines[Item] = Deadlines()
    item = Item()
    wheel.schedule(item, 1)
    wheel.due(1)
    wheel.schedule(item, 2)
    assert wheel.due(2) == [item]


def test_a_discarded_item_does_not_come_due() -> None:
    wheel: Deadlines[Item] = Deadlines()
    gone, stays = Item(), Item()
    wheel.schedule(gone, 5)
    wheel.schedule(stays, 5)
    wheel.discard(gone)
    assert gone.deadline == 0
    assert len(wheel) == 1
    assert wheel.due(5) == [stays]


def test_discarding_what_is_not_scheduled_does_nothing() -> None:
    wheel: Deadlines[Item] = Deadlines()
    item = Item()
    wheel.discard(item)
    wheel.schedule(item, 1)
    wheel.due(1)
    wheel.discard(item)
    assert len(wheel) == 0


def test_a_clock_that_jumped_ahead_skips_nothing() -> None:
    wheel: Deadlines[Item] = Deadlines()
    soon, later, never = Item(), Item(), Item()
    wheel.schedule(later, 500_000)
    wheel.schedule(soon, 3)
    wheel.schedule(never, 10**12 + 1)
    assert wheel.due(10**12) == [soon, later]
    assert len(wheel) == 1


def test_a_clock_that_went_back_changes_nothing() -> None:
    wheel: Deadlines[Item] = Deadlines()
    item = Item()
    wheel.due(10)
    wheel.schedule(item, 12)
    assert wheel.due(5) == []
    wheel.schedule(item, 7)
    assert item.deadline == 11
    assert wheel.due(11) == [item]


def test_a_discarded_or_expired_item_is_not_kept_alive() -> None:
    wheel: Deadlines[Item] = Deadlines()
    discarded, came_due, bystander = Item(), Item(), Item()
    references = [weakref.ref(discarded), weakref.ref(came_due)]
    for item in (discarded, came_due, bystander):
        wheel.schedule(item, 5)
    wheel.schedule(came_due, 4)
    wheel.discard(discarded)
    assert wheel.due(4) == [came_due]
    del discarded, came_due, item
    gc.collect()
    assert [reference() for reference in references] == [None, None]


@given(st.lists(st.tuples(st.integers(-5, 60), st.integers(1, 70)), max_size=40))
def test_items_come_due_in_the_first_tick_from_their_second(items: list[tuple[int, int]]) -> None:
    wheel: Deadlines[Item] = Deadlines()
    scheduled = {Item(): at for at, _ in items}
    for item, at in scheduled.items():
        wheel.schedule(item, at)
    ticks = sorted({tick for _, tick in items})
    for tick in ticks:
        due = wheel.due(tick)
        assert set(due) == {item for item, at in scheduled.items() if at <= tick}
        for item in due:
            del scheduled[item]
    assert len(wheel) == len(scheduled)


class WheelAgainstDictionary(RuleBasedStateMachine):
    """The wheel does what a dictionary of item to second does that is searched whole each time."""

    def __init__(self) -> None:
        super().__init__()
        self.items = [Item() for _ in range(8)]
        self.wheel: Deadlines[Item] = Deadlines()
        self.model: dict[Item, int] = {}
        self.now = 0

    @rule(index=st.integers(0, 7), after=st.integers(-3, 20))
    def schedule(self, index: int, after: int) -> None:
        item = self.items[index]
        self.wheel.schedule(item, self.now + after)
        self.model[item] = max(self.now + after, self.now + 1)

    @rule(index=st.integers(0, 7))
    def discard(self, index: int) -> None:
        self.wheel.discard(self.items[index])
        self.model.pop(self.items[index], None)

    @rule(seconds=st.integers(-2, 5) | st.integers(0, 10**9))
    def tick(self, seconds: int) -> None:
        due = self.wheel.due(self.now + seconds)
        self.now = max(self.now, self.now + seconds)
        expected = {item for item, at in self.model.items() if at <= self.now}
        assert set(due) == expected
        assert len(due) == len(expected)
        assert [self.model[item] for item in due] == sorted(self.model[item] for item in due)
        for item in due:
            del self.model[item]

    @invariant()
    def both_know_the_same(self) -> None:
        assert len(self.wheel) == len(self.model)
        assert all(item.deadline == self.model.get(item, 0) for item in self.items)


TestWheelAgainstDictionary = WheelAgainstDictionary.TestCase
