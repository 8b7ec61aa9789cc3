from __future__ import annotations

from collections.abc import Iterator

import pytest

from sockudo.cluster.replication.remote_work import RemoteWork
from sockudo.timing.slice_time import BUDGET, SliceTime
from sockudo.timing.slices import Slices, Steps
from tests.fakes.clock import FakeClock

STEP = BUDGET / 10


class Bench:
    """A clock on which time passes by steps of work only, and a log of the steps of each turn."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.turns: list[list[str]] = [[]]

    def step(self, name: str) -> None:
        self.clock.set_monotonic(self.clock.monotonic() + STEP)
        self.turns[-1].append(name)

    def next_turn(self) -> list[str]:
        """Run a turn of the loop; return its steps."""
        self.turns.append([])
        self.clock.run_soon()
        return self.turns[-1]

    def pieces(self, name: str, count: int) -> Iterator[None]:
        for _ in range(count):
            self.step(name)
            yield

    def steps(self, name: str, count: int) -> Steps[None]:
        for _ in range(count):
            self.step(name)
            yield None

    def costed(self, name: str, count: int) -> Iterator[int]:
        for _ in range(count):
            self.step(name)
            yield 1


def fail(error: Exception) -> None:
    raise error


async def test_work_of_all_kinds_shares_the_time_of_a_turn() -> None:
    bench = Bench()
    departures, resumed = Slices(bench.clock), Slices(bench.clock)
    deltas, reports = RemoteWork(bench.clock, fail), RemoteWork(bench.clock, fail)
    departures.in_order(bench.pieces("departure", 100))
    resumed.in_order(bench.pieces("message", 100))
    requests = departures.run(bench.steps("request", 100))
    deltas.run("a", bench.costed("delta", 100))
    reports.run("a", bench.costed("report", 100))
    # Each kind may have one step more than its share.
    longest = 10 + 5
    assert len(bench.turns[-1]) <= longest
    kinds = {"departure", "message", "request", "delta", "report"}
    while any(done := bench.next_turn()):
        assert len(done) <= longest
    assert requests.done()
    assert {name: sum(turn.count(name) for turn in bench.turns) for name in kinds} == dict.fromkeys(kinds, 100)


def test_each_kind_of_work_goes_on_in_every_turn() -> None:
    bench = Bench()
    clients, nodes = Slices(bench.clock), RemoteWork(bench.clock, fail)
    clients.in_order(bench.pieces("client", 1000))
    nodes.run("a", bench.costed("node", 1000))
    for _ in range(10):
        done = bench.next_turn()
        assert 3 <= done.count("client") <= 8
        assert 3 <= done.count("node") <= 8


def test_work_inside_of_other_work_stops_when_that_does() -> None:
    bench = Bench()
    inner = Slices(bench.clock)

    def outer() -> Iterator[int]:
        for _ in range(8):
            bench.step("outer")
            yield 1
        inner.in_order(bench.pieces("inner", 100))
        yield 1

    RemoteWork(bench.clock, fail).run("a", outer())
    assert bench.turns[-1].count("outer") == 8
    assert bench.turns[-1].count("inner") <= 3


def test_work_that_fails_keeps_no_other_from_its_turn() -> None:
    clock, called = FakeClock(), list[str]()
    time = clock.slice_time

    def failing() -> None:
        raise ValueError("a mistake")

    time.wake(failing)
    time.wake(lambda: called.append("next"))
    with pytest.raises(ValueError, match="a mistake"):
        clock.run_soon()
    clock.run_soon()
    assert called == ["next"]
    assert time.begin() == clock.monotonic() + BUDGET


def test_those_who_had_no_time_come_first_next_turn() -> None:
    clock, called = FakeClock(), list[str]()
    time = SliceTime(clock.monotonic, clock.call_soon)

    def long() -> None:
        called.append("long")
        clock.set_monotonic(clock.monotonic() + BUDGET)
        time.wake(long)

    time.wake(long)
    time.wake(lambda: called.append("short"))
    clock.run_soon()
    assert called == ["long"]
    clock.run_soon()
    assert called == ["long", "short", "long"]


def test_an_idle_loop_is_not_woken() -> None:
    bench = Bench()
    slices = Slices(bench.clock)
    slices.in_order(bench.pieces("short", 3))
    assert bench.clock.run_soon() == 0


def test_short_work_takes_its_time_of_the_turn() -> None:
    bench = Bench()
    time = bench.clock.slice_time
    taken = 0
    while time.take(BUDGET / 8):
        taken += 1
    assert taken in (7, 8)
    slices = Slices(bench.clock)
    slices.in_order(bench.pieces("work", 3))
    assert len(bench.turns[0]) < 3
    # A turn that is asked for begins with the whole time.
    bench.next_turn()
    assert time.take(BUDGET / 8)


def test_short_work_waits_inside_of_other_work() -> None:
    time = FakeClock().slice_time
    time.begin()
    assert not time.take(0.0)
    time.end()
    assert time.take(0.0)
