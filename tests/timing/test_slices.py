from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count

import pytest

from sockudo.eventual import Future
from sockudo.timing.slice_time import BUDGET
from sockudo.timing.slices import SHARE, Slices, Steps
from tests.fakes.clock import FakeClock, TickingClock


class WorkClock(FakeClock):
    """A clock on which time passes by steps of work only."""

    def steps(self, number: int, seconds: float, log: list[str], name: str) -> Steps[str]:
        for _ in range(number):
            self._monotonic += seconds
            log.append(name)
            yield None
        return name

    def pieces(self, number: int, seconds: float) -> Iterator[None]:
        for _ in range(number):
            self._monotonic += seconds
            yield


def busy_clock() -> TickingClock:
    """Return a clock on which every step takes a quarter of a turn's budget."""
    return TickingClock(BUDGET / 4)


async def test_work_of_a_turn_keeps_to_one_budget() -> None:
    clock, log = WorkClock(), list[str]()
    slices = Slices(clock)
    results = [slices.run(clock.steps(100, SHARE / 4, log, name)) for name in "abcdefgh"]
    assert log == []
    began = clock.monotonic()
    for turn in count(1):
        clock.run_soon()
        assert clock.monotonic() - began <= turn * (BUDGET + SHARE / 4)
        if all(result.done() for result in results):
            break
    assert [result.result() for result in results] == list("abcdefgh")


async def test_short_work_does_not_wait_for_long_work() -> None:
    clock, log = WorkClock(), list[str]()
    slices = Slices(clock)
    long = slices.run(clock.steps(1000, SHARE, log, "long"))
    short = slices.run(clock.steps(2, SHARE, log, "short"))
    clock.run_soon()
    clock.run_soon()
    assert short.done()
    assert not long.done()


async def test_work_that_waits_goes_on_when_its_future_is_done() -> None:
    clock = FakeClock()
    slices = Slices(clock)
    awaited: Future[int] = asyncio.get_running_loop().create_future()

    def steps() -> Steps[int]:
        yield awaited
        return awaited.result()

    results = [slices.run(steps()), slices.at_once(steps())]
    clock.run_soon()
    clock.run_soon()
    for result in results:
        assert isinstance(result, Future)
        assert not result.done()
    awaited.set_result(7)
    await asyncio.sleep(0)
    clock.run_soon()
    assert [result.result() for result in results if isinstance(result, Future)] == [7, 7]
    assert slices.at_once(steps()) == 7


async def test_what_work_raises_is_the_error_of_its_future() -> None:
    clock = FakeClock()
    slices = Slices(clock)

    def failing() -> Steps[None]:
        yield None
        raise ValueError("no")

    result = slices.run(failing())
    clock.run_soon()
    with pytest.raises(ValueError, match="no"):
        result.result()


def test_few_steps_are_carried_out_at_once() -> None:
    clock, log = WorkClock(), list[str]()
    assert Slices(clock).at_once(clock.steps(3, 1, log, "done")) == "done"
    assert log == ["done"] * 3


def pieces(name: str, count: int, done: list[str]) -> Iterator[None]:
    for number in range(count):
        done.append(f"{name}{number}")
        yield


def test_ordered_work_that_fits_a_turn_is_done_at_once() -> None:
    clock, done = FakeClock(), list[str]()
    slices = Slices(clock)
    slices.in_order(pieces("a", 1000, done))
    assert (len(done), slices.is_idle) == (1000, True)


def test_work_beyond_a_turn_continues_in_order_in_later_ones() -> None:
    clock, done = busy_clock(), list[str]()
    slices = Slices(clock)
    slices.in_order(pieces("a", 10, done))
    slices.in_order(pieces("b", 2, done))
    seen = [len(done)]
    while not slices.is_idle:
        clock.run_soon()
        seen.append(len(done))
    assert done == [f"a{number}" for number in range(10)] + ["b0", "b1"]
    assert all(later - earlier <= 5 for earlier, later in zip([0, *seen], seen, strict=False))


def test_work_of_one_turn_shares_its_time() -> None:
    clock, done = busy_clock(), list[str]()
    slices = Slices(clock)
    for number in range(20):
        slices.in_order(pieces(f"{number}:", 1, done))
    assert len(done) <= 5
    while not slices.is_idle:
        clock.run_soon()
    assert done == [f"{number}:0" for number in range(20)]


def test_work_that_adds_work_is_carried_out_before_it() -> None:
    done: list[str] = []
    slices = Slices(FakeClock())

    def parent() -> Iterator[None]:
        for number in range(2):
            slices.in_order(pieces(f"child{number}:", 1, done))
            done.append(f"parent{number}")
            yield

    slices.in_order(parent())
    assert done == ["parent0", "parent1", "child0:0", "child1:0"]


def test_work_that_fails_stops_no_other() -> None:
    clock, done = busy_clock(), list[str]()
    slices = Slices(clock)

    def broken() -> Iterator[None]:
        yield
        raise ValueError("broken")

    slices.in_order(pieces("a", 5, done))
    slices.in_order(broken())
    slices.in_order(pieces("b", 5, done))
    failures = 0
    while not slices.is_idle:
        try:
            clock.run_soon()
        except ValueError:
            failures += 1
    assert (failures, done[-1]) == (1, "b4")
    with pytest.raises(ValueError, match="broken"):
        Slices(FakeClock()).in_order(broken())


def test_the_next_slice_may_be_asked_for() -> None:
    clock, done = busy_clock(), list[str]()
    slices = Slices(clock)
    slices.in_order(pieces("a", 50, done))
    while not slices.is_idle:
        slices.next_turn()
    assert (len(done), slices.is_idle) == (50, True)
    # A turn that was asked for before finds nothing left to do.
    clock.run_soon()
    slices.in_order(pieces("b", 1, done))
    assert done[-1] == "b0"


async def test_both_forms_of_work_share_one_budget() -> None:
    clock, log = WorkClock(), list[str]()
    slices = Slices(clock)
    began = clock.monotonic()
    slices.in_order(clock.pieces(30, SHARE / 4))
    results = [slices.run(clock.steps(30, SHARE / 4, log, name)) for name in "ab"]
    for turn in count(1):
        slices.in_order(clock.pieces(1, SHARE / 4))
        # What begins at once has what is left of a turn, and one step at least.
        assert clock.monotonic() - began <= turn * (BUDGET + SHARE / 2)
        if slices.is_idle:
            break
        clock.run_soon()
    assert [result.result() for result in results] == ["a", "b"]


async def test_work_in_order_goes_on_beside_long_work() -> None:
    clock, log = WorkClock(), list[str]()
    slices = Slices(clock)
    long = slices.run(clock.steps(1000, SHARE, log, "long"))
    clock.run_soon()
    slices.in_order(pieces("a", 3, log))
    clock.run_soon()
    assert "a2" in log
    assert not long.done()


async def test_work_that_a_step_gives_joins_the_turn() -> None:
    clock, log = FakeClock(), list[str]()
    slices = Slices(clock)

    def giving() -> Steps[None]:
        slices.in_order(pieces("a", 1, log))
        log.append("given")
        yield None

    slices.run(giving())
    clock.run_soon()
    assert (log, slices.is_idle) == (["given", "a0"], True)


def test_short_work_never_overtakes_ordered_work() -> None:
    clock, done = busy_clock(), list[str]()
    slices = Slices(clock)
    assert slices.may_skip_order(0.0)
    slices.in_order(pieces("a", 10, done))
    answers = []
    while not slices.is_idle:
        answers.append(slices.may_skip_order(0.0))
        clock.run_soon()
    assert answers
    assert not any(answers)
    assert slices.may_skip_order(0.0)
