from __future__ import annotations

from collections.abc import Iterator

import pytest

from sockudo.cluster.replication import remote_work as module
from sockudo.cluster.replication.remote_work import MOST_UNITS, CostedSteps, RemoteWork
from tests.fakes.clock import FakeClock


class Bench:
    """RemoteWork, and a log of what was done."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.failures: list[Exception] = []
        self.emptied = 0
        self.remote = RemoteWork(self.clock, self.failures.append, self._empty)
        self.done: list[str] = []

    def _empty(self) -> None:
        self.emptied += 1

    def work(self, name: str, *units: int) -> Iterator[int]:
        """Return work that logs each of its steps."""
        for number, cost in enumerate(units):
            self.done.append(f"{name}{number}")
            yield cost
        self.done.append(f"{name}.")


def test_a_little_work_is_done_at_once() -> None:
    bench = Bench()
    assert bench.remote.run("a", bench.work("x", 1, 1))
    assert bench.done == ["x0", "x1", "x."]
    assert not bench.remote.is_busy("a")


def test_a_turn_ends_after_some_units_and_the_rest_follows() -> None:
    bench = Bench()
    bench.remote.run("a", bench.work("x", *[MOST_UNITS // 2] * 6))
    counts = [len(bench.done)]
    assert bench.remote.is_busy("a")
    while bench.clock.run_soon():
        counts.append(len(bench.done))
    assert counts[:3] == [2, 4, 6]
    assert bench.done[-1] == "x."
    assert (bench.remote.is_busy("a"), bench.emptied) == (False, 1)


def test_a_turn_ends_after_so_much_time() -> None:
    bench = Bench()

    def slow() -> CostedSteps:
        for _ in range(3):
            bench.done.append("slow")
            bench.clock.set_monotonic(bench.clock.monotonic() + 1)
            yield 1

    bench.remote.run("a", slow())
    assert len(bench.done) == 1
    bench.clock.run_soon()
    assert len(bench.done) == 2


def test_many_little_works_of_one_turn_share_its_time() -> None:
    bench = Bench()
    for number in range(3 * MOST_UNITS):
        bench.remote.run("a", bench.work(f"{number}-", 1))
    # Each takes its unit, and one more for its end.
    assert len(bench.done) <= MOST_UNITS + 1
    bench.clock.advance(0)
    assert [name for name in bench.done if name.endswith(".")] == [f"{n}-." for n in range(3 * MOST_UNITS)]


def test_each_lane_keeps_its_order_and_lanes_take_turns() -> None:
    bench = Bench()
    bench.remote.run("a", bench.work("x", MOST_UNITS, MOST_UNITS, MOST_UNITS))
    bench.remote.run("a", bench.work("y", 1))
    bench.remote.run("b", bench.work("z", 1))
    bench.clock.advance(0)
    assert bench.done.index("x.") < bench.done.index("y0")
    assert bench.done.index("z0") < bench.done.index("x2")


def test_work_that_fails_is_told_and_stops_no_other() -> None:
    bench = Bench()

    def failing() -> CostedSteps:
        yield MOST_UNITS
        raise ValueError("as a test wants")

    bench.remote.run("a", failing())
    bench.remote.run("a", bench.work("x", 1))
    bench.clock.advance(0)
    assert [str(error) for error in bench.failures] == ["as a test wants"]
    assert bench.done == ["x0", "x."]


def test_work_that_does_not_fit_is_refused_unless_indispensable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 2)
    monkeypatch.setattr(module, "MOST_WAITING_BYTES", 100)
    bench = Bench()
    assert bench.remote.run("a", bench.work("x", MOST_UNITS, 1), 10)
    assert not bench.remote.run("b", bench.work("y", 1), 91)
    assert bench.remote.run("b", bench.work("z", 1), 90)
    assert not bench.remote.run("b", bench.work("y", 1), 0)
    assert bench.remote.run("b", bench.work("own", 1))
    bench.clock.advance(0)
    assert "own." in bench.done
    assert "y0" not in bench.done
    assert bench.remote.run("c", bench.work("v", 1), 100)


def test_a_lanes_own_work_can_clear_and_reuse_it() -> None:
    bench = Bench()

    def clearing() -> CostedSteps:
        yield MOST_UNITS
        bench.remote.clear("a")
        bench.remote.run("a", bench.work("new", 1))
        yield 1
        bench.done.append("never")

    bench.remote.run("a", clearing())
    bench.remote.run("a", bench.work("old", 1))
    bench.clock.advance(0)
    assert bench.done == ["new0", "new."]
    assert not bench.remote.is_busy("a")


def test_an_idle_loop_is_not_woken() -> None:
    bench = Bench()
    bench.remote.run("a", bench.work("x", 1))
    bench.clock.advance(0)
    assert bench.clock.run_soon() == 0
