"""Lines about refusals: all of them with debugging, else those that matter, and never too many."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sockudo import log
from sockudo.node.refusal_log import MOST_KEYS, MOST_LINES, WINDOW, RefusalLog
from sockudo.pusher.codes import Code
from tests.fakes.clock import FakeClock

Capture = pytest.CaptureFixture[str]


def lines(capture: Capture) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capture.readouterr().out.splitlines()]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def refusals(clock: FakeClock) -> RefusalLog:
    return RefusalLog(clock)


def test_every_refusal_is_a_line_with_debugging(refusals: RefusalLog, capsys: Capture) -> None:
    log.configure(level="debug", output_format="json")
    for _ in range(3 * MOST_LINES):
        refusals.note("subscription refused", 400, "bad name", app="a", channel="c")
        refusals.note("request refused", 401, "bad signature", signed_text=b"POST\n/apps/a/events\nx=\xff")
    told = lines(capsys)
    assert len(told) == 6 * MOST_LINES
    assert {line["level"] for line in told} == {"debug", "info"}
    assert told[0]["channel"] == "c"
    assert told[1]["signed_text"] == "POST\n/apps/a/events\nx=\\xff"


def test_people_read_codes_as_numbers(refusals: RefusalLog, capsys: Capture) -> None:
    log.configure(output_format="human")
    refusals.note("connection refused", Code.APP_UNKNOWN, "why")
    assert "code=4001 " in capsys.readouterr().out


@pytest.mark.parametrize("code", [4001, 4003, 4004, 4006, 4007, 4009, 401, 403])
def test_what_no_client_retries_is_told_without_debugging(refusals: RefusalLog, code: int, capsys: Capture) -> None:
    log.configure(output_format="json")
    refusals.note("connection refused", code, "why", app="a", signed_text=b"text", origin="https://a")
    (line,) = lines(capsys)
    assert (line["level"], line["code"], line["reason"], line["origin"]) == ("info", code, "why", "https://a")
    assert "signed_text" not in line


@pytest.mark.parametrize("code", [4100, 4200, 4201, 4301, 400, 404, 413, 429, 503, None])
def test_what_clients_retry_is_told_with_debugging_only(
    refusals: RefusalLog, code: int | None, capsys: Capture
) -> None:
    log.configure(output_format="json")
    refusals.note("connection refused", code, "why", app="a")
    assert lines(capsys) == []
    assert not refusals.is_told(code)
    log.configure(level="debug", output_format="json")
    assert refusals.is_told(code)


def test_a_flood_is_a_few_lines_and_a_number(refusals: RefusalLog, clock: FakeClock, capsys: Capture) -> None:
    log.configure(output_format="json")
    for _ in range(MOST_LINES + 120):
        refusals.note("connection refused", 4001, "no such app")
    assert len(lines(capsys)) == MOST_LINES
    clock.advance(WINDOW)
    (line,) = lines(capsys)
    assert (line["message"], line["code"]) == ("connection refused: and 120 more in the last 10 s", 4001)
    refusals.note("connection refused", 4001, "no such app")
    assert len(lines(capsys)) == 1
    clock.advance(WINDOW)
    assert lines(capsys) == []


def test_apps_and_kinds_are_counted_apart(refusals: RefusalLog, capsys: Capture) -> None:
    log.configure(output_format="json")
    for _ in range(50):
        for app in ("a", "b"):
            refusals.note("connection refused", 4009, "origin", app=app)
        refusals.note("connection refused", 4003, "disabled", app="a")
    assert len(lines(capsys)) == 3 * MOST_LINES


def test_the_table_of_what_is_counted_is_bounded(refusals: RefusalLog, clock: FakeClock, capsys: Capture) -> None:
    log.configure(output_format="json")
    apps = 10 * MOST_KEYS
    for number in range(apps):
        for _ in range(MOST_LINES + 1):
            refusals.note("connection refused", 4009, "origin", app=f"app-{number}")
    assert len(lines(capsys)) == (MOST_KEYS + 1) * MOST_LINES
    clock.advance(WINDOW)
    told = lines(capsys)
    assert len(told) == MOST_KEYS + 1
    rest = (apps - MOST_KEYS) * (MOST_LINES + 1) - MOST_LINES
    assert told[-1]["message"] == f"connection refused: and {rest} more in the last 10 s"


def test_what_was_counted_is_told_at_the_end(refusals: RefusalLog, clock: FakeClock, capsys: Capture) -> None:
    log.configure(output_format="json")
    for _ in range(MOST_LINES + 1):
        refusals.note_dropped("slow consumer dropped", app="a", socket_id="1.1")
    refusals.close()
    assert lines(capsys)[-1]["message"] == "slow consumer dropped: and 1 more in the last 10 s"
    refusals.close()
    clock.advance(WINDOW)
    assert lines(capsys) == []


def test_a_failure_is_a_warning_and_limited_too(refusals: RefusalLog, capsys: Capture) -> None:
    log.configure(output_format="json")
    for _ in range(100):
        refusals.note_failed("request not answered", path="/x", reason="the store is gone")
    told = lines(capsys)
    assert len(told) == MOST_LINES
    assert {line["level"] for line in told} == {"warning"}


def test_what_a_peer_sent_is_cut(refusals: RefusalLog, capsys: Capture) -> None:
    log.configure(output_format="json")
    refusals.note("request refused", 401, "why", path="/" + "x" * 5000)
    assert len(lines(capsys)[0]["path"]) == 120


def test_nothing_is_counted_where_nothing_is_told(refusals: RefusalLog, capsys: Capture) -> None:
    log.configure(level="error", output_format="json")
    refusals.note("connection refused", 4001, "why")
    refusals.note_dropped("slow consumer dropped", app="a", socket_id="1.1")
    assert lines(capsys) == []
    assert refusals._counts == {}


def test_a_repeated_fault_is_logged_at_a_bounded_rate(capsys: pytest.CaptureFixture[str]) -> None:
    clock = FakeClock()
    refusals = RefusalLog(clock)
    for number in range(20):
        refusals.note_fault("request failed", ValueError(str(number)), path="/x")
    clock.advance(WINDOW)
    output = capsys.readouterr().out
    assert output.count("ValueError: ") == MOST_LINES
    assert "request failed: and 15 more in the last 10 s" in output
