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

    def drain(self) -> None:
        raise NotImplementedError

    def abort(self) -> None:
        raise NotImplementedError

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


def test_young_and_closing_sockets_expire_in_their_order() -> None:
    clock, timeouts, _ = started()
    first, second, closing = Socket(timeouts), Socket(timeouts), Socket(timeouts)
    timeouts.young[first] = timeouts.now
    clock.advance(2)
    timeouts.young[second] = timeouts.now
    timeouts.begin_closing(closing)
    clock.advance(3)
    assert closing.expired == []
    clock.advance(1)
    assert closing.expired == [1006]
    clock.advance(4)
    assert first.expired == []
    clock.advance(1)
    assert (first.expired, second.expired) == ([1011], [])
    clock.advance(100)
    assert (len(first.expired), len(second.expired), len(closing.expired)) == (1, 1, 1)
    assert not timeouts.young
    assert not timeouts.closing


def test_a_close_that_begins_again_has_its_whole_time() -> None:
    clock, timeouts, _ = started()
    again, other = Socket(timeouts), Socket(timeouts)
    timeouts.begin_closing(again)
    timeouts.begin_closing(other)
    clock.advance(2)
    timeouts.begin_closing(again)
    clock.advance(2)
    assert (again.expired, other.expired) == ([], [1004])
    clock.advance(2)
    assert again.expired == [1006]


def test_thousands_of_young_sockets_expire_over_several_turns() -> None:
    clock, timeouts, _ = started()
    sockets = [Socket(timeouts) for _ in range(1000)]
    timeouts.young.update(dict.fromkeys(sockets, timeouts.now))
    clock.set_monotonic(clock.monotonic() + 20)
    timeouts.now += 20
    timeouts.second_passed()
    turns = 1
    while timeouts.young:
        before = len(timeouts.young)
        clock.run_soon()
        assert before - len(timeouts.young) <= 64
        turns += 1
    assert turns >= 1000 // 64
    assert all(len(socket.expired) == 1 for socket in sockets)
