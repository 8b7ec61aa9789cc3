"""The lines of a supervisor, which are made without structlog, are those of every other process."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from sockudo import log
from sockudo.log_lines import Form, Lines, Logger
from sockudo.log_plain import PlainLines
from sockudo.log_structlog import StructlogLines

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def fail() -> None:
    """Raise what is logged."""
    secret = "".join(["hid", "den"])
    raise ValueError(len(secret))


def say_a_failure(logger: Logger) -> None:
    try:
        fail()
    except ValueError as problem:
        logger.exception("failed", code=1)
        logger.error("failed", exc_info=problem)
        logger.log(logging.ERROR, "failed", exc_info=sys.exc_info())
    logger.error("nothing failed", exc_info=None)


EVENTS: dict[str, Callable[[Logger], None]] = {
    "plain": lambda logger: logger.info("worker ready", worker=0, pid=4711),
    "without fields": lambda logger: logger.warning("workers: all replaced"),
    "long": lambda logger: logger.info(
        "worker cannot start, and this event is longer than its column", reason="x" * 501
    ),
    "debug": lambda logger: logger.debug("looked"),
    "warning": lambda logger: logger.warning("nearly full"),
    "error": lambda logger: logger.error("worker died", restart_in=0.1),
    "by number": lambda logger: logger.log(logging.CRITICAL, "worst", values=(1, 2.5, None, True)),
    "secrets": lambda logger: logger.info("seen", app_secret="TOPSECRET", deep={"list": [{"token": "TOPSECRET"}]}),
    "odd values": lambda logger: logger.info("odd", raw=b"\xff", text='a\n"b"\x1b[1m\u00e9', kind=ValueError, path={1}),
    "failures": say_a_failure,
}


def written(lines: Callable[[Form, int, Callable[[str], None], Callable[[str], None]], Lines], form: Form) -> str:
    """What is written for every event, and about lines that were lost."""
    output: list[str] = []
    made = lines(form, logging.DEBUG, output.append, output.append)
    try:
        for event in EVENTS.values():
            event(made.logger("sockudo.workers"))
        made.label({"worker": 3})
        made.logger("sockudo").info("labelled", code=2)
        made.logger("sockudo").info("labelled", worker=4)
        output.append(made.losses(7, "No space left on device"))
    finally:
        made.close()
    return TIME.sub("TIME", "".join(output))


def with_structlog(
    form: Form, threshold: int, write: Callable[[str], None], lose: Callable[[str], None]
) -> StructlogLines:
    return StructlogLines().configure(form, threshold, write, lose)


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.contextvars.clear_contextvars()


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("include_target", [True, False])
@pytest.mark.parametrize(("output_format", "colors"), [("human", False), ("human", True), ("json", False)])
def test_its_lines_are_those_of_structlog(output_format: str, colors: bool, include_target: bool, debug: bool) -> None:
    form = Form(output_format, colors, debug, include_target)
    plain = written(PlainLines, form)
    assert plain.splitlines() == written(with_structlog, form).splitlines()
    assert "TIME" in plain
    assert "TOPSECRET" not in plain
    assert "hidden" not in plain
    assert ("test_log_plain.py" in plain.partition("Traceback")[0]) == debug


def test_its_level_hides_what_is_below(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(output_format="json", level="warning", plain=True)
    logger = log.get_logger("sockudo.workers")
    logger.info("hidden")
    logger.warning("shown")
    assert [json.loads(line)["message"] for line in capsys.readouterr().out.splitlines()] == ["shown"]


def test_a_value_that_cannot_be_shown_costs_its_line_only(capsys: pytest.CaptureFixture[str]) -> None:
    class Unshowable:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    for output_format in ("json", "human"):
        log.configure(output_format=output_format, plain=True)
        log.get_logger("sockudo.workers").info("lost", value=Unshowable())
        log.get_logger("sockudo.workers").info("shown")
    assert [("shown" in line, "lost" in line) for line in capsys.readouterr().out.splitlines()] == [(True, False)] * 2


def test_lines_of_asyncio_are_made_without_structlog_too(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(output_format="json", plain=True)
    logging.getLogger("asyncio").error("slow %s", "callback")
    line: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (line["message"], line["target"], line["level"]) == ("slow callback", "asyncio", "error")
