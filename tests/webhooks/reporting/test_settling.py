from __future__ import annotations

from sockudo.webhooks.reporting.settling import Settling, SettlingTimes
from tests.fakes.clock import FakeClock


class Others:
    is_alone = False
    is_synced = False


class World:
    def __init__(self) -> None:
        self.others, self.clock = Others(), FakeClock()
        self.asked = self.done = 0
        self.settling = Settling(self.others, self.clock, SettlingTimes(), self._ask, self._done)

    def _ask(self) -> None:
        self.asked += 1

    def _done(self) -> None:
        self.done += 1


def test_who_is_alone_has_nobody_to_ask() -> None:
    world = World()
    world.others.is_alone = True
    world.settling.begin(0.0)
    assert (world.settling.is_over, world.asked, world.done) == (True, 0, 1)


def test_it_asks_when_all_is_known_and_ends_when_answered() -> None:
    world = World()
    world.settling.begin(0.3)
    world.others.is_synced = True
    world.clock.advance(0.2)
    assert (world.asked, world.settling.has_asked) == (0, False)
    world.clock.advance(0.2)
    assert (world.asked, world.settling.has_asked, world.settling.is_over) == (1, True, False)
    world.settling.end()
    world.clock.advance(10)
    assert (world.asked, world.done, world.settling.is_over, world.settling.has_asked) == (1, 1, True, False)


def test_without_an_answer_it_is_over_in_a_while() -> None:
    world = World()
    world.others.is_synced = True
    world.settling.begin(0.0)
    world.clock.advance(0.9)
    assert not world.settling.is_over
    world.clock.advance(0.2)
    assert (world.settling.is_over, world.asked, world.done) == (True, 1, 1)


def test_what_the_others_have_is_not_waited_for_for_ever() -> None:
    world = World()
    world.settling.begin(0.0)
    world.clock.advance(4.9)
    assert world.asked == 0
    world.clock.advance(0.2)
    assert world.asked == 1


def test_it_can_begin_anew_and_be_stopped() -> None:
    world = World()
    world.settling.begin(0.0)
    world.clock.advance(4)
    world.settling.begin(0.0)
    world.clock.advance(4)
    assert world.asked == 0
    world.settling.stop()
    world.clock.advance(60)
    assert (world.asked, world.done, world.clock.timers) == (0, 0, 0)
