from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from sockudo.timing.clock import Clock, LoopClock, is_due


def loop_clock() -> Clock:
    return LoopClock(asyncio.get_running_loop())


async def test_now_is_unix_time() -> None:
    before = time.time()
    now = loop_clock().now()
    assert before <= now <= time.time()


@pytest.fixture
def fast_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop: asyncio.AbstractEventLoop = pytest.importorskip("uvloop").new_event_loop()
    yield loop
    loop.close()


def test_monotonic_is_finer_than_the_milliseconds_of_a_loop(fast_loop: asyncio.AbstractEventLoop) -> None:
    clock = LoopClock(fast_loop)
    readings = [clock.monotonic() for _ in range(100_000)]
    assert readings == sorted(readings)
    assert min(after - before for before, after in pairwise(readings) if after > before) < 0.0005


async def test_call_soon_runs_in_the_next_tick() -> None:
    ran: list[str] = []
    loop_clock().call_soon(lambda: ran.append("soon"))
    assert ran == []
    await asyncio.sleep(0)
    assert ran == ["soon"]


async def test_call_later_runs_when_its_time_has_come() -> None:
    clock = loop_clock()
    ran = asyncio.Event()
    started = clock.monotonic()
    clock.call_later(0.01, ran.set)
    await ran.wait()
    # Loops round timers to the resolution of their clock, a millisecond in uvloop.
    assert clock.monotonic() - started >= 0.008


async def test_cancelled_callbacks_do_not_run() -> None:
    clock = loop_clock()
    ran: list[str] = []
    clock.call_soon(lambda: ran.append("soon")).cancel()
    clock.call_later(0, lambda: ran.append("later")).cancel()
    after_them = asyncio.Event()
    clock.call_later(0.001, after_them.set)
    await after_them.wait()
    assert ran == []


def test_a_timer_that_fires_early_finds_its_deadline_due() -> None:
    assert [is_due(5.0, now) for now in (4.998, 4.9995, 5.0, 6.0)] == [False, True, True, True]
