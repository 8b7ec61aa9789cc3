from __future__ import annotations

from sockudo.webhooks.reporting.alarm import Alarm
from tests.fakes.clock import FakeClock


def test_an_alarm_rings_once_at_the_earliest_time() -> None:
    clock, rung = FakeClock(), []
    alarm = Alarm(clock, lambda: rung.append(clock.monotonic()))
    start = clock.monotonic()
    alarm.set(start + 5)
    alarm.set(start + 2)
    alarm.set(start + 3)
    clock.advance(10)
    assert len(rung) == 1
    assert start + 2 <= rung[0] < start + 3


def test_an_alarm_can_be_set_again_while_it_rings() -> None:
    clock, rung = FakeClock(), []

    def ring() -> None:
        rung.append(clock.monotonic())
        if len(rung) < 3:
            alarm.set(clock.monotonic() + 1)

    alarm = Alarm(clock, ring)
    alarm.set(float("-inf"))
    for _ in range(5):
        clock.advance(1)
    assert len(rung) == 3


def test_a_stopped_alarm_does_not_ring() -> None:
    clock, rung = FakeClock(), []
    alarm = Alarm(clock, lambda: rung.append(True))
    alarm.set(clock.monotonic() + 1)
    alarm.stop()
    alarm.stop()
    clock.advance(2)
    assert rung == []
