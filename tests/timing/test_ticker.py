"""What ticks, ticks once a second, and knows the second."""

from __future__ import annotations

import pytest

from sockudo.timing.ticker import Ticker
from tests.fakes.clock import FakeClock


class Seconds(Ticker):
    """Remembers the seconds that it was told of."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.seen: list[int] = []
        self.fails = False

    def second_passed(self) -> None:
        self.seen.append(self.now)
        if self.fails:
            raise RuntimeError("this second is lost")


def test_every_second_is_told_once_it_has_begun() -> None:
    clock = FakeClock(monotonic=100.0)
    ticker = Seconds(clock)
    ticker.start()
    clock.advance(3.5)
    assert ticker.seen == [101, 102, 103]
    assert ticker.now == 103


def test_it_knows_the_second_in_which_it_starts() -> None:
    clock = FakeClock(monotonic=100.0)
    ticker = Seconds(clock)
    clock.advance(7)
    assert ticker.now == 100
    ticker.start()
    assert ticker.now == 107


def test_it_is_silent_after_its_end() -> None:
    clock = FakeClock(monotonic=100.0)
    ticker = Seconds(clock)
    ticker.start()
    clock.advance(1)
    ticker.stop()
    ticker.stop()
    clock.advance(5)
    assert ticker.seen == [101]


def test_a_second_that_fails_does_not_end_it() -> None:
    clock = FakeClock(monotonic=100.0)
    ticker = Seconds(clock)
    ticker.start()
    ticker.fails = True
    with pytest.raises(RuntimeError):
        clock.advance(1)
    ticker.fails = False
    clock.advance(1)
    assert ticker.seen == [101, 102]
