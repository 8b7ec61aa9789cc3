from __future__ import annotations

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.ratelimit.base import Decision, Limit
from sockudo.ratelimit.memory import MemoryRateLimiter
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


def test_limits_of_one_key_are_counted_apart(limiter: MemoryRateLimiter) -> None:
    assert limiter.consume("key", Limit(1, 60)).allowed
    assert limiter.consume("key", Limit(1, 30)).allowed
    assert limiter.consume("key", Limit(2, 60)).remaining == 1


def test_a_unit_leaves_the_window_when_it_is_exactly_a_window_old(limiter: MemoryRateLimiter, clock: FakeClock) -> None:
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


def test_reset_is_never_longer_than_the_window_however_its_moments_are_rounded() -> None:
    for tenths in range(2000):
        clock = FakeClock(monotonic=tenths / 10)
        assert MemoryRateLimiter(clock).consume("key", Limit(1, 60)).reset_after == 60


def test_stepping_the_wall_clock_opens_no_window(limiter: MemoryRateLimiter, clock: FakeClock) -> None:
    limit = Limit(1, 60)
    limiter.consume("key", limit)
    clock.set_now(clock.now() + 3600)
    assert not limiter.consume("key", limit).allowed


def test_idle_keys_are_forgotten_whoever_is_counted_next(limiter: MemoryRateLimiter, clock: FakeClock) -> None:
    limit = Limit(5, 60)
    for number in range(1000):
        limiter.consume(f"client {number}", limit)
    assert limiter.size == 1000
    clock.advance(61)
    limiter.consume("somebody", limit)
    assert limiter.size == 1


def test_a_key_in_use_is_remembered_from_its_last_unit(limiter: MemoryRateLimiter, clock: FakeClock) -> None:
    limit = Limit(2, 60)
    limiter.consume("key", limit)
    clock.advance(59)
    limiter.consume("key", limit)
    clock.advance(59)
    assert limiter.consume("key", limit).remaining == 0
    clock.advance(59)
    limiter.consume("somebody", limit)
    assert limiter.size == 2
    clock.advance(2)
    limiter.consume("somebody", limit)
    assert limiter.size == 1


def test_a_key_that_was_only_refused_takes_no_room(limiter: MemoryRateLimiter) -> None:
    limiter.consume("key", Limit(0, 60))
    limiter.consume("key", Limit(3, 60), 4)
    assert limiter.size == 0


def test_there_are_never_more_keys_than_allowed_and_the_most_idle_goes(clock: FakeClock) -> None:
    limiter = MemoryRateLimiter(clock, max_keys=3)
    limit = Limit(1, 60)
    for key in ("hammering", "idle", "third"):
        assert limiter.consume(key, limit).allowed
    assert not limiter.consume("hammering", limit).allowed
    limiter.consume("fourth", limit)
    assert limiter.size == 3
    assert not limiter.consume("hammering", limit).allowed
    assert limiter.consume("idle", limit).allowed


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


def test_a_stranger_with_many_addresses_fills_no_more_than_the_bound() -> None:
    clock = FakeClock()
    limiter = MemoryRateLimiter(clock, max_keys=1000, max_units=5000)
    limit = Limit(100, 60)
    for number in range(3000):
        for _ in range(10):
            assert limiter.consume(f"address-{number}", limit).allowed
        assert limiter.units <= 5000
    assert limiter.size <= 500
    # Who is busy now is still counted.
    assert limiter.consume("address-2999", limit).remaining == 89
    clock.advance(61)
    for _ in range(10):
        limiter.consume("another", limit)
    assert (limiter.size, limiter.units) == (1, 10)


def test_a_window_larger_than_the_bound_still_holds_its_limit() -> None:
    limiter = MemoryRateLimiter(FakeClock(), max_units=10)
    limiter.consume("other", Limit(20, 60), 5)
    assert [limiter.consume("key", Limit(20, 60)).allowed for _ in range(21)] == [True] * 20 + [False]
    assert limiter.size == 1
