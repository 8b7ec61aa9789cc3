from __future__ import annotations

import pytest
import structlog

from sockudo.api.outage import Outage
from tests.fakes.clock import FakeClock

SETTING = "rate_limiter.api_rate_limit"


@pytest.mark.parametrize(
    ("is_open", "does", "word"),
    [(False, "refuses what it limits", "refused"), (True, "admits what it cannot count", "admitted")],
)
def test_an_outage_is_logged_at_once_each_minute_and_finally(*, is_open: bool, does: str, word: str) -> None:
    clock = FakeClock()
    outage = Outage(clock, is_open=is_open)
    with structlog.testing.capture_logs() as logs:
        outage.answered(SETTING)
        for _ in range(3):
            assert outage.admits(SETTING, "lost") is is_open
        clock.advance(59)
        outage.admits(SETTING, "lost")
        clock.advance(1)
        outage.admits(SETTING, "lost")
        clock.advance(5)
        for _ in range(2):
            outage.answered(SETTING)
    lost, told, back = logs
    assert lost["event"] == told["event"] == f"rate limiter unusable: the server {does}"
    assert (lost["requests"], told["requests"]) == (1, 4)
    assert (lost["limit"], lost["reason"], lost["log_level"]) == (SETTING, "lost", "warning")
    assert (back["event"], back[word]) == ("rate limiter usable again", 5)


def test_the_next_outage_is_logged_anew() -> None:
    clock = FakeClock()
    outage = Outage(clock, is_open=False)
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            outage.admits(SETTING, "lost")
            clock.advance(5)
            outage.answered(SETTING)
    assert len(logs) == 4


def test_a_store_that_answers_now_and_then_is_one_outage() -> None:
    outage = Outage(FakeClock(), is_open=False)
    with structlog.testing.capture_logs() as logs:
        for _ in range(100):
            outage.admits(SETTING, "lost")
            outage.answered(SETTING)
    assert len(logs) == 1
