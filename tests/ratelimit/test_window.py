from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sockudo.ratelimit.window import SecondWindow


def test_exactly_the_limit_is_allowed() -> None:
    window = SecondWindow()
    assert [window.take(1, 3, 10.0) for _ in range(5)] == [True, True, True, False, False]


def test_the_second_starts_with_the_first_unit() -> None:
    window = SecondWindow()
    assert window.take(1, 1, 10.75)
    assert not window.take(1, 1, 11.5)
    assert window.take(1, 1, 11.75)
    assert not window.take(1, 1, 12.5)


def test_several_units_are_taken_all_or_none() -> None:
    window = SecondWindow()
    assert window.take(7, 10, 10.0)
    assert not window.take(4, 10, 10.0)
    assert window.take(3, 10, 10.0)


def test_a_refusal_starts_no_second() -> None:
    window = SecondWindow()
    assert not window.take(4, 3, 10.0)
    assert window.retry_after(10.0) == 0
    assert window.take(3, 3, 10.5)
    assert not window.take(1, 3, 11.25)


def test_a_limit_that_changes_is_followed_at_once() -> None:
    window = SecondWindow()
    assert window.take(3, 3, 10.0)
    assert window.take(1, 4, 10.1)
    assert not window.take(1, 2, 10.2)


def test_retrying_is_worth_it_when_the_second_is_over() -> None:
    window = SecondWindow()
    assert window.retry_after(10.0) == 0
    window.take(1, 1, 10.0)
    assert window.retry_after(10.0) == 1
    assert window.retry_after(10.9) == 1
    assert window.retry_after(11.0) == 0


@given(st.floats(0, 1e9))
def test_waiting_a_second_is_always_enough(started: float) -> None:
    window = SecondWindow()
    assert window.take(1, 1, started)
    assert window.retry_after(started) == 1
    assert window.take(1, 1, started + 1)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 4)), max_size=60), st.integers(1, 5))
def test_decisions_are_those_of_a_list_that_remembers_every_unit(calls: list[tuple[int, int]], limit: int) -> None:
    window, now = SecondWindow(), 0.0
    units: list[float] = []
    for eighths, cost in calls:
        now += eighths / 8
        if units and now - units[0] >= 1:
            units = []
        allowed = len(units) + cost <= limit
        units += [now] * cost if allowed else []
        assert window.take(cost, limit, now) is allowed


def test_what_was_taken_elsewhere_counts_whatever_the_limit_is() -> None:
    window = SecondWindow()
    window.add(7, 10.0)
    assert not window.take(1, 7, 10.5)
    assert window.take(1, 8, 10.5)
    assert window.retry_after(10.5) == 1
    window.add(1, 11.0)
    assert window.take(1, 2, 11.9)
    assert not window.take(1, 2, 11.9)
