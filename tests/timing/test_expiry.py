from __future__ import annotations

import pytest

from sockudo.timing.expiry import Expiry
from tests.fakes.clock import FakeClock


class Item:
    def __init__(self) -> None:
        self.deadline = 0


class Watch(Expiry[Item]):
    """Notes what comes due; every item asks for another second, as long as it is told to."""

    def __init__(self, clock: FakeClock, again: int = 0) -> None:
        super().__init__(clock)
        self.taken: list[Item] = []
        self._again = again

    def add(self, item: Item, seconds: int) -> None:
        self._deadlines.schedule(item, self.now + seconds)

    def discard(self, item: Item) -> None:
        self._deadlines.discard(item)

    def came_due(self, item: Item) -> None:
        self.taken.append(item)
        if self._again:
            self._again -= 1
            # In the past, as a deadline may be that was computed from an old activity.
            self.add(item, -5)


def watched(count: int, again: int = 0) -> tuple[FakeClock, Watch, list[Item]]:
    clock = FakeClock()
    watch = Watch(clock, again)
    watch.start()
    items = [Item() for _ in range(count)]
    for item in items:
        watch.add(item, 1)
    return clock, watch, items


def tick(clock: FakeClock, watch: Watch) -> None:
    """Let a second pass for the watch, and no turn of the loop after that."""
    clock.set_monotonic(clock.monotonic() + 1)
    watch.now += 1
    watch.second_passed()


def test_thousands_that_expire_together_are_spread_over_turns() -> None:
    clock, watch, items = watched(5000)
    tick(clock, watch)
    turns = 0
    while len(watch.taken) < 5000:
        before = len(watch.taken)
        clock.run_soon()
        assert len(watch.taken) - before <= 64
        turns += 1
    assert turns >= 5000 // 64
    assert set(watch.taken) == set(items)
    clock.advance(3)
    assert len(watch.taken) == 5000


def test_an_item_that_is_discarded_between_two_turns_never_expires() -> None:
    clock, watch, items = watched(500)
    tick(clock, watch)
    left = [item for item in items if item.deadline]
    assert left
    for item in left:
        watch.discard(item)
    clock.advance(3)
    assert not set(left) & set(watch.taken)


def test_an_item_late_again_waits_for_the_next_second() -> None:
    clock, watch, _ = watched(200, again=200)
    tick(clock, watch)
    for _ in range(20):
        clock.run_soon()
    assert len(watch.taken) == 200
    clock.advance(2)
    assert len(watch.taken) == 400


def test_an_item_that_fails_holds_up_no_other() -> None:
    clock, watch, _ = watched(200)
    taken = watch.taken

    class Failing(list[Item]):
        def append(self, item: Item) -> None:
            watch.taken = taken
            raise ValueError("a mistake")

    watch.taken = Failing()
    with pytest.raises(ValueError, match="a mistake"):
        tick(clock, watch)
    clock.advance(3)
    assert len(taken) == 199


def test_several_items_that_fail_are_told_together() -> None:
    clock, watch, _ = watched(3)

    class Failing(list[Item]):
        def append(self, item: Item) -> None:
            raise ValueError("a mistake")

    watch.taken = Failing()
    with pytest.raises(ExceptionGroup) as told:
        tick(clock, watch)
    assert [str(error) for error in told.value.exceptions] == ["a mistake"] * 3


def test_nothing_expires_after_the_stop() -> None:
    clock, watch, _ = watched(500)
    tick(clock, watch)
    taken = len(watch.taken)
    watch.stop()
    clock.advance(5)
    assert len(watch.taken) == taken
