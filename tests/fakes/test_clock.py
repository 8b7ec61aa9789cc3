from __future__ import annotations

from tests.fakes.clock import START, FakeClock


def test_time_stands_still_until_it_is_moved() -> None:
    clock = FakeClock(now=50.0, monotonic=7.0)
    assert (clock.now(), clock.monotonic()) == (50.0, 7.0)
    clock.advance(2.5)
    assert (clock.now(), clock.monotonic()) == (52.5, 9.5)


def test_each_clock_can_be_set_alone() -> None:
    clock = FakeClock(monotonic=7.0)
    clock.set_now(1.0)
    assert (clock.now(), clock.monotonic()) == (1.0, 7.0)
    clock.set_monotonic(8.0)
    assert (clock.now(), clock.monotonic()) == (1.0, 8.0)


def test_callbacks_run_in_order_at_their_moment() -> None:
    clock = FakeClock()
    ran: list[tuple[str, float]] = []
    clock.call_later(3, lambda: ran.append(("third", clock.now() - START)))
    clock.call_later(1, lambda: ran.append(("first", clock.now() - START)))
    clock.call_later(1, lambda: ran.append(("second", clock.now() - START)))
    clock.call_later(4, lambda: ran.append(("not yet", clock.now() - START)))
    clock.advance(3)
    assert ran == [("first", 1), ("second", 1), ("third", 3)]
    assert clock.now() == START + 3


def test_a_callback_that_reschedules_itself_runs_as_time_allows() -> None:
    clock = FakeClock()
    ran: list[float] = []

    def tick() -> None:
        ran.append(clock.now() - START)
        clock.call_later(1, tick)

    clock.call_later(1, tick)
    clock.advance(3.5)
    assert ran == [1, 2, 3]


def test_a_cancelled_callback_never_runs() -> None:
    clock = FakeClock()
    ran: list[str] = []
    clock.call_later(1, lambda: ran.append("later")).cancel()
    clock.call_soon(lambda: ran.append("soon")).cancel()
    clock.advance(2)
    assert ran == []


def test_cancelling_after_the_callback_ran_does_nothing() -> None:
    clock = FakeClock()
    ran: list[str] = []
    handle = clock.call_soon(lambda: ran.append("soon"))
    clock.run_soon()
    handle.cancel()
    assert ran == ["soon"]


def test_run_soon_is_one_tick() -> None:
    clock = FakeClock()
    ran: list[str] = []

    def first() -> None:
        ran.append("first")
        clock.call_soon(lambda: ran.append("second"))

    clock.call_soon(first)
    clock.run_soon()
    assert ran == ["first"]
    clock.run_soon()
    assert ran == ["first", "second"]
    assert clock.now() == START


def test_advancing_runs_the_ticks_before_and_after_each_callback() -> None:
    clock = FakeClock()
    ran: list[tuple[str, float]] = []

    def note(what: str) -> None:
        ran.append((what, clock.now() - START))

    def later() -> None:
        note("later")
        clock.call_soon(lambda: note("after"))

    clock.call_later(1, later)
    clock.call_soon(lambda: note("before"))
    clock.advance(2)
    assert ran == [("before", 0), ("later", 1), ("after", 1)]


def test_a_moment_that_was_skipped_does_not_turn_time_back() -> None:
    clock = FakeClock(monotonic=0.0)
    moments: list[float] = []
    clock.call_later(1, lambda: moments.append(clock.monotonic()))
    clock.set_monotonic(5.0)
    clock.advance(0)
    assert moments == [5.0]


def test_a_timer_counts_until_it_has_run_or_was_cancelled() -> None:
    clock = FakeClock()
    clock.call_later(1, lambda: None)
    cancelled = clock.call_later(2, lambda: None)
    assert clock.timers == 2
    cancelled.cancel()
    assert clock.timers == 1
    clock.advance(1)
    assert clock.timers == 0
