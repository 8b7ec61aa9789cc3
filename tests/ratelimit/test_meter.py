"""Meters count as the limiter does, and units that come close together leave a millisecond late at most."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from sockudo.ratelimit.area import SharedArea, new_area
from sockudo.ratelimit.base import Decision, Limit
from sockudo.ratelimit.memory import SIZE, MemoryRateLimiter
from sockudo.ratelimit.table import Shape
from tests.fakes.clock import FakeClock

# Thousandths of a millisecond and whole seconds.
PAUSES = st.one_of(st.integers(0, 1500).map(lambda number: number / 1e6), st.integers(0, 20).map(float))


@given(
    requests=st.integers(1, 12),
    seconds=st.integers(1, 4),
    calls=st.lists(st.tuples(PAUSES, st.sampled_from(["meter", "another meter", "consume", "other key"])), max_size=80),
)
def test_units_leave_in_time_or_a_millisecond_late(requests: int, seconds: int, calls: list[tuple[float, str]]) -> None:
    clock, limit = FakeClock(), Limit(requests, seconds)
    limiter = MemoryRateLimiter(clock)
    meters = {name: limiter.meter("api::a", limit) for name in ("meter", "another meter")}
    taken: list[float] = []
    for pause, how in calls:
        clock.advance(pause)
        if how == "other key":
            limiter.consume("api::b", limit)
            continue
        decision = meters[how]() if how in meters else limiter.consume("api::a", limit)
        now = clock.monotonic()
        inside = sum(now - moment < seconds for moment in taken)
        late = sum(now - moment < seconds + 0.001 + 1e-9 for moment in taken)
        if decision.allowed:
            taken.append(now)
            assert inside < requests
        else:
            assert late >= requests
        assert requests - late - decision.allowed <= decision.remaining <= requests - inside - decision.allowed
        assert 1 <= decision.reset_after <= seconds


def test_waiting_as_long_as_a_refusal_says_is_enough() -> None:
    clock = FakeClock()
    meter = MemoryRateLimiter(clock).meter("api::a", Limit(3, 60))
    for _ in range(3):
        assert meter().allowed
        clock.advance(0.0004)
    refused = meter()
    assert refused == Decision(False, 3, 0, 60)
    clock.advance(refused.reset_after)
    assert meter().allowed


def test_units_close_together_are_one_entry() -> None:
    clock = FakeClock()
    limiter = MemoryRateLimiter(clock)
    meter = limiter.meter("api::a", Limit(1000, 60))
    for _ in range(50):
        meter()
        clock.advance(0.0001)
    assert limiter.entries <= 5 + 1
    assert meter().remaining == 949


def test_units_held_back_count_after_their_window_was_forgotten() -> None:
    clock, limit = FakeClock(), Limit(2, 60)
    limiter = MemoryRateLimiter(clock)
    meter = limiter.meter("api::a", limit)
    meter()
    clock.advance(0.0008)
    meter()
    clock.advance(59.9995)
    # Whoever comes next forgets the window of the first unit.
    for number in range(200):
        limiter.consume(f"api::{number}", limit)
    assert meter() == Decision(True, 2, 0, 1)
    assert not meter().allowed


def test_a_key_has_one_meter_however_many_there_are() -> None:
    clock, limit = FakeClock(), Limit(3, 60)
    limiter = MemoryRateLimiter(clock)
    before = limiter.meter("api::a", limit)
    assert [before().allowed for _ in range(2)] == [True, True]
    for number in range(2000):
        limiter.meter(f"api::{number}", limit)()
    after = limiter.meter("api::a", limit)
    assert [before().allowed, after().allowed, before().allowed] == [True, False, False]


def test_a_meter_that_another_one_follows_counts_with_it() -> None:
    clock, limit = FakeClock(), Limit(100, 60)
    limiter = MemoryRateLimiter(clock)
    before = limiter.meter("api::a", limit)
    for number in range(1024):
        limiter.meter(f"api::{number}", limit)
    after = limiter.meter("api::a", limit)
    assert sum(meter().allowed for _ in range(150) for meter in (before, after)) == 100


def test_keys_that_share_a_window_hold_back_nothing() -> None:
    clock, limit = FakeClock(), Limit(100, 60)
    limiter = MemoryRateLimiter(clock, shape=Shape(windows=1, spare=1, entries=50))
    for number in range(500):
        limiter.consume(f"api::{number}", limit)
    same = [f"api::x{number}" for number in range(200) if limiter._place(f"api::x{number}")[0] == 0][:2]
    clock.advance(30)
    first, second = (limiter.meter(key, limit) for key in same)
    assert sum(meter().allowed for _ in range(150) for meter in (first, second)) <= 100


def test_workers_count_together_through_meters() -> None:
    descriptor, clock, limit = new_area(SIZE), FakeClock(), Limit(4, 60)
    one, other = (MemoryRateLimiter(clock, SharedArea(descriptor, SIZE)).meter("api::a", limit) for _ in range(2))
    assert [meter().allowed for meter in (one, other, one, other, one, other)] == [True] * 4 + [False] * 2
    os.close(descriptor)
