"""The table of windows: against the plainest one, at its bounds, and after a process that died in the middle."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.ratelimit.base import Limit
from sockudo.ratelimit.table import Shape, Table

SMALL = Shape(windows=4, spare=2, entries=12)


def table(shape: Shape = SMALL) -> Table:
    return Table(memoryview(bytearray(shape.size)), shape)


def taken(made: Table, name: int, limit: Limit, now: float, times: int) -> int:
    return sum(made.take(name, limit, 1, now).allowed for _ in range(times))


def no_window_has_more(admitted: dict[int, list[float]], limit: Limit) -> bool:
    return all(
        first + limit.seconds <= after
        for moments in admitted.values()
        for first, after in zip(moments, moments[limit.requests :], strict=False)
    )


def test_keys_in_one_bucket_are_counted_apart() -> None:
    made, limit = table(), Limit(1, 60)
    assert [made.take(name, limit, 1, 0.0).allowed for name in (1, 5, 9, 1, 5, 9)] == [True] * 3 + [False] * 3


def test_windows_that_are_over_are_forgotten_by_whoever_comes_next() -> None:
    made, limit = table(), Limit(2, 60)
    for name in range(4):
        made.take(name, limit, 1, 0.0)
    assert (made.size, made.entries) == (4, 4)
    made.take(9, limit, 1, 60.0)
    assert (made.size, made.entries) == (1, 1)


def test_a_key_in_use_is_remembered_from_its_last_unit() -> None:
    made, limit = table(), Limit(2, 60)
    for now in (0.0, 59.0, 118.0):
        made.take(1, limit, 1, now)
    assert made.take(1, limit, 1, 118.5).remaining == 0
    made.take(2, limit, 1, 177.0)
    assert made.size == 2


def test_a_key_that_was_only_refused_takes_no_room() -> None:
    made = table()
    assert not made.take(1, Limit(0, 60), 1, 0.0).allowed
    assert not made.take(1, Limit(3, 60), 4, 0.0).allowed
    assert (made.size, made.entries) == (0, 0)


def test_new_keys_share_a_full_table_and_none_gets_more() -> None:
    made, limit = table(), Limit(3, 60)
    for name in range(4):
        made.take(name, limit, 1, 0.0)
    # A thousand addresses more get, all together, what two windows allow.
    assert sum(made.take(name, limit, 1, 1.0).allowed for name in range(4, 1004)) == 2 * 3
    # Those that had come before them lose nothing.
    assert [taken(made, name, limit, 2.0, 5) for name in range(4)] == [2] * 4
    assert made.size == 4


def test_a_key_that_shares_a_window_has_no_second_one() -> None:
    made, limit = table(), Limit(3, 60)
    for name in range(4):
        made.take(name, limit, 1, 0.0)
    assert taken(made, 100, limit, 30.0, 5) == 3
    # There is room again, but what the key took meanwhile counts until it has left.
    assert taken(made, 100, limit, 61.0, 5) == 0
    assert taken(made, 100, limit, 90.0, 5) == 3
    assert made.size == 1


def test_many_units_stay_an_eighth_longer_at_most() -> None:
    made, limit = table(), Limit(1000, 80)
    # 12 are remembered one by one; of the others, those of ten seconds each leave together.
    for now in range(40):
        assert made.take(1, limit, 1, float(now)).allowed
    assert made.entries < 20
    for later in range(80, 131):
        left = 1000 - made.take(1, limit, 0, float(later)).remaining
        exact = max(0, 39 - (later - 80))
        assert exact <= left <= min(40, exact + 10)
    assert left == 0


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 11), st.integers(1, 3)), max_size=300))
def test_whatever_comes_no_window_has_more_than_the_limit(calls: list[tuple[int, int, int]]) -> None:
    made, limit, now = table(), Limit(4, 10), 0.0
    admitted: dict[int, list[float]] = {}
    for eighths, name, cost in calls:
        now += eighths / 8
        if made.take(name, limit, cost, now).allowed:
            admitted.setdefault(name, []).extend([now] * cost)
        assert made.entries <= SMALL.all_entries
    assert no_window_has_more(admitted, limit)


class _DeathError(Exception):
    pass


class Dying(Table):
    """A table whose process dies after so many writes."""

    __slots__ = ("left",)

    def __init__(self, memory: memoryview, shape: Shape) -> None:
        super().__init__(memory, shape)
        self.left = 10**9
        for name in Table.__slots__:
            if name != "_shape":
                setattr(self, name, Watched(self, getattr(self, name)))


class Watched:
    """Numbers of a table that counts the writes."""

    def __init__(self, owner: Dying, numbers: Any) -> None:
        self._owner = owner
        self._numbers = numbers

    def __getitem__(self, index: int) -> float:
        number: float = self._numbers[index]
        return number

    def __setitem__(self, index: int, number: float) -> None:
        self._owner.left -= 1
        if self._owner.left < 0:
            raise _DeathError
        self._numbers[index] = number


def history() -> Iterator[tuple[int, float]]:
    """Takes that open windows, fill them, share them, merge and forget."""
    for now in (0.0, 1.0, 2.0, 3.0, 6.0, 11.0, 12.0, 30.0):
        for name in (1, 5, 9, 2, 7, 1, 1, 5):
            yield name, now


@pytest.mark.parametrize("start", range(0, 900, 100))
def test_a_process_that_dies_while_it_counts_opens_nothing(start: int) -> None:
    for writes in range(start, start + 100):
        memory, limit = memoryview(bytearray(SMALL.size)), Limit(4, 10)
        dying, after = Dying(memory, SMALL), Table(memory, SMALL)
        dying.left = writes
        admitted: dict[int, list[float]] = {}
        calls = history()
        with contextlib.suppress(_DeathError):
            for name, now in calls:
                if dying.take(name, limit, 1, now).allowed:
                    admitted.setdefault(name, []).append(now)
        # Others go on in the same memory.
        for name, now in calls:
            if after.take(name, limit, 1, now).allowed:
                admitted.setdefault(name, []).append(now)
        assert no_window_has_more(admitted, limit)
        # And in the end all of it is forgotten, so nothing has leaked.
        for name in (3, 7, 11):
            after.take(name, limit, 1 if name == 3 else 0, 100.0)
        assert (after.size, after.entries) == (1, 1)
