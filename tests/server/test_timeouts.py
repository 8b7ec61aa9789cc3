from __future__ import annotations

from sockudo.server.timeouts import Timeouts
from tests.fakes.clock import FakeClock


class Socket:
    """Notes when it expires."""

    def __init__(self, timeouts: Timeouts, again: int = 0) -> None:
        self.deadline = 0
        self.expired: list[int] = []
        self._timeouts = timeouts
        self._again = again

    def expire(self, now: int) -> None:
        self.expired.append(now)
        if self._again:
            self._timeouts.schedule(self, self._again)


def started() -> tuple[FakeClock, Timeouts, list[float]]:
    clock, ticks = FakeClock(monotonic=1000.4), list[float]()
    timeouts = Timeouts(clock, lambda: ticks.append(clock.monotonic()))
    timeouts.start()
    return clock, timeouts, ticks


def test_a_socket_expires_once_and_never_early() -> None:
    clock, timeouts, _ = started()
    socket = Socket(timeouts)
    timeouts.schedule(socket, 10)
    clock.advance(10)
    assert socket.expired == []
    clock.advance(1)
    assert len(socket.expired) == 1
    clock.advance(100)
    assert len(socket.expired) == 1


def test_a_later_deadline_replaces_the_first() -> None:
    clock, timeouts, _ = started()
    moved, discarded = Socket(timeouts), Socket(timeouts)
    timeouts.schedule(moved, 5)
    timeouts.schedule(discarded, 5)
    clock.advance(4)
    timeouts.schedule(moved, 5)
    timeouts.discard(discarded)
    clock.advance(4)
    assert moved.expired == []
    clock.advance(3)
    assert len(moved.expired) == 1
    assert discarded.expired == []


def test_a_socket_may_ask_for_more_time_when_it_expires() -> None:
    clock, timeouts, _ = started()
    socket = Socket(timeouts, again=2)
    timeouts.schedule(socket, 2)
    clock.advance(12)
    assert len(socket.expired) == 4


def test_one_timer_ticks_once_a_second_until_it_is_stopped() -> None:
    clock, timeouts, ticks = started()
    clock.advance(5)
    assert len(ticks) == 5
    assert timeouts.now == 1005
    timeouts.stop()
    timeouts.stop()
    clock.advance(5)
    assert len(ticks) == 5
