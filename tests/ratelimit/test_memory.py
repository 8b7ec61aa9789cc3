from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from subprocess import PIPE

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.ratelimit.area import SharedArea, new_area
from sockudo.ratelimit.base import Decision, Limit
from sockudo.ratelimit.memory import SIZE, MemoryRateLimiter
from tests.contracts.rate_limiter import RateLimiterContract
from tests.fakes.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def limiter(clock: FakeClock) -> MemoryRateLimiter:
    return MemoryRateLimiter(clock)


class TestMemoryRateLimiter(RateLimiterContract):
    @pytest.fixture
    def limiter(self, clock: FakeClock) -> MemoryRateLimiter:
        self.clock = clock
        return MemoryRateLimiter(clock)

    async def elapse(self, seconds: float) -> None:
        self.clock.advance(seconds)


def test_a_unit_leaves_when_it_is_exactly_a_window_old(limiter: MemoryRateLimiter, clock: FakeClock) -> None:
    limit = Limit(1, 60)
    assert limiter.consume("key", limit).allowed
    clock.advance(59.75)
    assert limiter.consume("key", limit) == Decision(False, 1, 0, 1)
    clock.advance(0.25)
    assert limiter.consume("key", limit) == Decision(True, 1, 0, 60)


def test_reset_is_when_the_oldest_unit_leaves(limiter: MemoryRateLimiter, clock: FakeClock) -> None:
    limit = Limit(3, 60)
    limiter.consume("key", limit)
    clock.advance(20)
    assert limiter.consume("key", limit).reset_after == 40
    clock.advance(40)
    assert limiter.consume("key", limit) == Decision(True, 3, 1, 20)


def test_reset_is_never_longer_than_the_window_despite_rounding() -> None:
    for tenths in range(2000):
        clock = FakeClock(monotonic=tenths / 10)
        assert MemoryRateLimiter(clock).consume("key", Limit(1, 60)).reset_after == 60


def test_stepping_the_wall_clock_opens_no_window(limiter: MemoryRateLimiter, clock: FakeClock) -> None:
    limit = Limit(1, 60)
    limiter.consume("key", limit)
    clock.set_now(clock.now() + 3600)
    assert not limiter.consume("key", limit).allowed


def test_a_key_that_was_only_refused_takes_no_room(limiter: MemoryRateLimiter) -> None:
    limiter.consume("key", Limit(0, 60))
    limiter.consume("key", Limit(3, 60), 4)
    assert limiter.size == 0


async def test_it_answers_at_once_and_runs_nothing_in_the_background(limiter: MemoryRateLimiter) -> None:
    threads, tasks = threading.active_count(), len(asyncio.all_tasks())
    for number in range(100):
        assert isinstance(limiter.consume(f"client {number}", Limit(5, 60)), Decision)
    assert (threading.active_count(), len(asyncio.all_tasks())) == (threads, tasks)


async def test_a_closed_limiter_remembers_nobody(limiter: MemoryRateLimiter) -> None:
    limiter.consume("key", Limit(5, 60))
    await limiter.aclose()
    assert limiter.size == 0


# Eighths of a second are exact in binary, so the model may compare moments for equality.
eighths = st.integers(0, 40).map(lambda number: number / 8)


@given(
    requests=st.integers(1, 6),
    seconds=st.integers(1, 4),
    calls=st.lists(st.tuples(eighths, st.sampled_from("ab"), st.integers(1, 4)), max_size=60),
)
def test_decisions_are_those_of_a_list_that_remembers_every_unit(
    requests: int, seconds: int, calls: list[tuple[float, str, int]]
) -> None:
    clock = FakeClock()
    limiter = MemoryRateLimiter(clock)
    taken: dict[str, list[float]] = {"a": [], "b": []}
    for pause, key, cost in calls:
        clock.advance(pause)
        now = clock.monotonic()
        inside = [moment for moment in taken[key] if now - moment < seconds]
        allowed = len(inside) + cost <= requests
        inside += [now] * cost if allowed else []
        taken[key] = inside

        decision = limiter.consume(key, Limit(requests, seconds), cost)
        assert decision.allowed is allowed
        assert decision.remaining == requests - len(inside)
        left = inside[0] + seconds - now if inside else seconds
        assert left <= decision.reset_after < left + 1


@given(
    requests=st.integers(1, 5),
    seconds=st.integers(1, 3),
    pauses=st.lists(st.floats(0, 2, allow_nan=False), max_size=80),
)
def test_no_window_whatever_holds_more_than_the_limit(requests: int, seconds: int, pauses: list[float]) -> None:
    clock = FakeClock()
    limiter = MemoryRateLimiter(clock)
    allowed: list[float] = []
    for pause in pauses:
        clock.advance(pause)
        if limiter.consume("key", Limit(requests, seconds)).allowed:
            allowed.append(clock.monotonic())
    for first, after_the_last in zip(allowed, allowed[requests:], strict=False):
        assert first + seconds <= after_the_last


def test_more_addresses_than_fit_stay_within_the_stated_memory() -> None:
    before = _resident()
    limiter, limit = MemoryRateLimiter(LoopTime()), Limit(3, 3600)
    first = [limiter.consume(f"api::{number}", limit).allowed for number in range(1000)]
    for number in range(300_000):
        limiter.consume(f"api::{number}", limit)
    assert limiter.size <= 131_072
    assert SIZE < 130_000_000
    assert _resident() - before <= SIZE
    assert all(first)
    # Those that came first have windows of their own still, and are refused when theirs are full.
    assert [limiter.consume("api::5", limit).allowed for _ in range(2)] == [True, False]


class LoopTime(FakeClock):
    """A clock that stands still costs least."""

    def monotonic(self) -> float:
        return 1000.0


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_workers_count_together_and_the_one_that_comes_later_too() -> None:
    descriptor, clock, limit = new_area(SIZE), FakeClock(), Limit(5, 60)
    one, other = (MemoryRateLimiter(clock, SharedArea(descriptor, SIZE)) for _ in range(2))
    assert [limiter.consume("api::a", limit).allowed for limiter in (one, other) * 2] == [True] * 4
    successor = MemoryRateLimiter(clock, SharedArea(descriptor, SIZE))
    assert [successor.consume("api::a", limit).allowed for _ in range(2)] == [True, False]
    assert not one.consume("api::a", limit).allowed
    os.close(descriptor)


async def test_a_worker_that_leaves_takes_no_counts_along() -> None:
    descriptor, clock, limit = new_area(SIZE), FakeClock(), Limit(1, 60)
    one, other = (MemoryRateLimiter(clock, SharedArea(descriptor, SIZE)) for _ in range(2))
    assert one.consume("api::a", limit).allowed
    await one.aclose()
    assert not other.consume("api::a", limit).allowed
    os.close(descriptor)


_RACER = """
import sys, time
from sockudo.ratelimit.area import SharedArea
from sockudo.ratelimit.base import Limit
from sockudo.ratelimit.memory import SIZE, MemoryRateLimiter
class Clock:
    monotonic = staticmethod(time.monotonic)
limiter = MemoryRateLimiter(Clock(), SharedArea(int(sys.argv[1]), SIZE))
print("ready", flush=True)
sys.stdin.readline()
keys = ["api::192.0.2.1", "api::192.0.2.2", "websocket::192.0.2.1"]
admitted = [sum(limiter.consume(key, Limit(3000, 600)).allowed for _ in range(2000)) for key in keys]
print(*admitted, flush=True)
"""


def test_processes_that_race_are_admitted_exactly_the_limit() -> None:
    descriptor = new_area(SIZE)
    command = [sys.executable, "-c", _RACER, str(descriptor)]
    with contextlib.ExitStack() as stack:
        racers = [
            stack.enter_context(
                subprocess.Popen(command, pass_fds=(descriptor,), stdin=PIPE, stdout=PIPE, text=True, bufsize=1)
            )
            for _ in range(4)
        ]
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
        lines = [racer.stdout.readline().split() for racer in racers if racer.stdout is not None]
    assert [sum(int(line[key]) for line in lines) for key in range(3)] == [3000] * 3
    os.close(descriptor)
