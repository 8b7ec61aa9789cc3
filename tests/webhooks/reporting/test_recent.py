from __future__ import annotations

from sockudo.webhooks.reporting import recent
from sockudo.webhooks.reporting.recent import Recent
from tests.fakes.clock import FakeClock

KEY = ("app", "news", None)


def test_the_last_report_is_known_for_a_minute() -> None:
    clock = FakeClock()
    reports = Recent(clock)
    assert reports.last(KEY) is None
    reports.add(KEY, True)
    reports.add(KEY, False)
    assert reports.last(KEY) is False
    clock.advance(recent.SECONDS + 1)
    assert reports.last(KEY) is None
    reports.add(("app", "other", None), True)
    assert len(reports) == 1


def test_it_is_bounded() -> None:
    reports = Recent(FakeClock())
    for number in range(recent.MOST + 10):
        reports.add(("app", str(number), None), True)
    assert len(reports) == recent.MOST
    assert reports.last(("app", "0", None)) is None


def test_what_is_older_than_an_absence_is_forgotten() -> None:
    clock = FakeClock()
    reports = Recent(clock)
    reports.add(KEY, True)
    clock.advance(5)
    reports.add(("app", "new", None), True)
    reports.keep_only(4)
    assert reports.last(KEY) is None
    assert reports.last(("app", "new", None)) is True
