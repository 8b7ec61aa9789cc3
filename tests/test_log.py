"""Log lines: their shape, their level, and that secrets are not in them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from sockudo import log


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def json_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(capsys.readouterr().out)
    return line


def test_a_json_line_has_message_level_target_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(output_format="json")

    log.get_logger("hub").info("subscribed", channel="a\nb")

    line = json_line(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"message": "subscribed", "level": "info", "target": "hub", "channel": "a\nb"}


def test_a_line_for_people_is_plain_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure()

    log.get_logger("hub").info("subscribed", channel="a\nb\x1b[1m")

    output = capsys.readouterr().out
    assert output.count("\n") == 1
    assert "\x1b" not in output
    assert "subscribed" in output
    assert "hub" in output


def test_the_target_can_be_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(output_format="json", include_target=False)

    log.get_logger("hub").info("subscribed")

    assert "target" not in json_line(capsys)


def test_debugging_adds_the_place_that_logged(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(output_format="json", level="debug", debug=True)

    log.get_logger("hub").debug("subscribed")

    assert json_line(capsys)["filename"] == "test_log.py"


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("trace", ["debug", "info", "warning", "error"]),
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warn", ["warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
        ("off", []),
    ],
)
def test_only_lines_of_the_level_and_above_are_shown(
    level: str, shown: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    log.configure(output_format="json", level=level)
    logger = log.get_logger("hub")

    for method in (logger.debug, logger.info, logger.warning, logger.error):
        method("said")

    assert [json.loads(line)["level"] for line in capsys.readouterr().out.splitlines()] == shown


@pytest.mark.parametrize(
    "key", ["secret", "auth", "password", "token", "signature", "authorization", "Authorization", "app_secret"]
)
def test_a_secret_keys_value_is_masked_at_any_depth(key: str, capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(output_format="json")

    log.get_logger("hub").info("seen", **{key: "hidden"}, deep={"list": [{key: "hidden"}]}, auth_key="shown")

    output = capsys.readouterr().out
    assert "hidden" not in output
    assert "shown" in output


def test_a_long_value_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(output_format="json")

    log.get_logger("hub").info("seen", data="x" * 501, short="y" * 500, raw=b"\xff")

    line = json_line(capsys)
    assert line["data"] == "x" * 500 + "... (501 characters)"
    assert line["short"] == "y" * 500
    assert line["raw"] == "\\xff"


def test_a_deeply_nested_value_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    value: Any = "bottom"
    for _ in range(2000):
        value = [value]
    log.configure(output_format="json")

    log.get_logger("hub").info("seen", data=value, number={"a": 1})

    output = capsys.readouterr().out
    assert "..." in output
    assert "bottom" not in output


@pytest.mark.parametrize("output_format", ["json", "human"])
def test_a_traceback_does_not_show_the_variables_of_its_frames(
    output_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log.configure(output_format=output_format)
    frame_variable = "".join(["hid", "den"])

    try:
        raise ValueError(len(frame_variable))
    except ValueError:
        log.get_logger("hub").exception("failed")

    output = capsys.readouterr().out
    assert "ValueError: 6" in output
    assert "hidden" not in output


def test_lines_of_other_libraries_take_the_same_way_once(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(output_format="json")
    log.configure(output_format="json")

    logging.getLogger("asyncio").error("slow %s", "callback")
    logging.getLogger("asyncio").debug("noise")

    line = json_line(capsys)
    assert (line["message"], line["target"], line["level"]) == ("slow callback", "asyncio", "error")


def test_libraries_that_tell_every_attempt_are_not_heard(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(output_format="json")

    logging.getLogger("cassandra.pool").error("scheduling retry")
    logging.getLogger("sqlalchemy.pool.impl.AsyncAdaptedQueuePool").error("Exception closing connection")

    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("plain", [False, True])
def test_debug_lines_can_be_switched_on_and_off(capsys: pytest.CaptureFixture[str], plain: bool) -> None:
    log.configure(output_format="json", level="warn", plain=plain)
    log.label(worker=3)
    logger = log.get_logger("hub")
    for on in (None, None, False):
        logger.debug("detail")
        log.switch_debug(on=on)
    log.flush()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["message"] for line in lines] == [
        "debug lines switched on",
        "detail",
        "debug lines switched off",
        "debug lines switched off",
    ]
    assert {line["worker"] for line in lines} == {3}


def test_where_debugging_is_configured_the_switch_goes_to_info(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(level="debug")
    log.switch_debug()
    assert (log.shows_debug(), log.shows_info()) == (False, True)
    log.switch_debug()
    assert log.shows_debug()
