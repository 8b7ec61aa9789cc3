from __future__ import annotations

import asyncio
from itertools import count

import pytest

from sockudo.eventual import Future
from sockudo.timing.slices import BUDGET, SHARE, Slices, Steps
from tests.fakes.clock import FakeClock


class Timer:
    """Time that passes by a step of work only."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time

    def steps(self, number: int, seconds: float, log: list[str], name: str) -> Steps[str]:
        for _ in range(number):
            self.time += seconds
            log.append(name)
            yield None
        return name


async def test_work_of_a_turn_keeps_to_one_budget() -> None:
    clock, timer, log = FakeClock(), Timer(), list[str]()
    slices = Slices(clock.call_soon, timer)
    results = [slices.run(timer.steps(100, SHARE / 4, log, name)) for name in "abcdefgh"]
    assert log == []
    for turn in count(1):
        clock.run_soon()
        assert timer.time <= turn * (BUDGET + SHARE / 4)
        if all(result.done() for result in results):
            break
    assert [result.result() for result in results] == list("abcdefgh")


async def test_short_work_does_not_wait_for_long_work() -> None:
    clock, timer, log = FakeClock(), Timer(), list[str]()
    slices = Slices(clock.call_soon, timer)
    long = slices.run(timer.steps(1000, SHARE, log, "long"))
    short = slices.run(timer.steps(2, SHARE, log, "short"))
    clock.run_soon()
    clock.run_soon()
    assert short.done()
    assert not long.done()


async def test_work_that_waits_goes_on_when_its_future_is_done() -> None:
    clock = FakeClock()
    slices = Slices(clock.call_soon)
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
    slices = Slices(clock.call_soon)

    def failing() -> Steps[None]:
        yield None
        raise ValueError("no")

    result = slices.run(failing())
    clock.run_soon()
    with pytest.raises(ValueError, match="no"):
        result.result()


def test_few_steps_are_carried_out_at_once() -> None:
    timer, log = Timer(), list[str]()
    assert Slices(FakeClock().call_soon).at_once(timer.steps(3, 1, log, "done")) == "done"
    assert log == ["done"] * 3
