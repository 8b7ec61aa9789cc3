from __future__ import annotations

import asyncio
import time

from sockudo.clock import Clock, LoopClock


def loop_clock() -> Clock:
    return LoopClock(asyncio.get_running_loop())


async def test_now_is_unix_time() -> None:
    before = time.time()
    now = loop_clock().now()
    assert before <= now <= time.time()


async def test_monotonic_does_not_stand_still_within_a_tick() -> None:
    clock = loop_clock()
    started = clock.monotonic()
    for _ in range(1_000_000):
        if clock.monotonic() > started:
            return
    raise AssertionError("a million readings in one tick gave the same moment")


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
