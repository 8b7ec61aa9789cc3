"""Makes the lines of the log with the standard library alone, for the supervisor, which has to stay small.

structlog and what it brings along take 10 MB of a process. The lines are the same: a test compares them.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sockudo.log_lines import Form, Logger, losses_fields, protect

_LEVEL_NAMES: Final = {
    logging.DEBUG: "debug",
    logging.INFO: "info",
    logging.WARNING: "warning",
    logging.ERROR: "error",
    logging.CRITICAL: "critical",
}
_WIDTH_OF_LEVEL: Final = 9
_WIDTH_OF_EVENT: Final = 30

_RESET: Final = "\x1b[0m"
_BRIGHT: Final = "\x1b[1m"
_DIM: Final = "\x1b[2m"
_RED: Final = "\x1b[31m"
_GREEN: Final = "\x1b[32m"
_YELLOW: Final = "\x1b[33m"
_MAGENTA: Final = "\x1b[35m"
_CYAN: Final = "\x1b[36m"
_LEVEL_COLORS: Final = {"debug": _GREEN, "info": _GREEN, "warning": _YELLOW, "error": _RED, "critical": _RED}

# The frames of these modules are not what logged.
_OWN_MODULES: Final = "sockudo.log"


class PlainLines:
    """Makes lines from a level on; `lose` is told why a line could not be made."""

    def __init__(self, form: Form, threshold: int, write: Callable[[str], None], lose: Callable[[str], None]) -> None:
        self._form = form
        self._threshold = threshold
        self._write = write
        self._lose = lose
        self._labels: dict[str, str | int] = {}

    @property
    def labels(self) -> Mapping[str, str | int]:
        """The fields that every line carries."""
        return self._labels

    def logger(self, target: str) -> Logger:
        """Return the logger of one part."""
        return _PlainLogger(self, target)

    def label(self, fields: Mapping[str, str | int]) -> None:
        """Let every line carry some fields."""
        self._labels.update(fields)

    def losses(self, lost: int, reason: str) -> str:
        """Return the line that tells how many others were lost."""
        return self._line("warning", losses_fields(lost, reason)) + "\n"

    def close(self) -> None:
        """Do nothing: lines are no longer asked for."""

    def add(self, level: int, fields: dict[str, Any]) -> None:
        """Write a line, if its level is shown; `fields` has its event and its target."""
        if level < self._threshold:
            return
        try:
            self._write(self._line(_LEVEL_NAMES[level], fields) + "\n")
        except Exception as problem:
            self._lose(f"{type(problem).__name__} while the line was made")

    def _line(self, level: str, fields: dict[str, Any]) -> str:
        failure = _traceback(fields.pop("exc_info", None))
        if not self._form.include_target:
            fields.pop("target", None)
        if self._form.debug:
            fields |= _place()
        shown = protect({**fields, **{name: value for name, value in self._labels.items() if name not in fields}})
        event = shown.pop("event")
        time = datetime.now(tz=UTC).isoformat().replace("+00:00", "Z")
        if self._form.output_format == "json":
            shown |= {"level": level, "timestamp": time}
            shown |= {"exception": failure} if failure else {}
            return json.dumps(shown | {"message": event}, ensure_ascii=False, default=repr)
        return self._for_people(time, level, event, shown) + (f"\n{failure}" if failure else "")

    def _for_people(self, time: str, level: str, event: str, fields: Mapping[str, Any]) -> str:
        paint = _painted if self._form.colors else _unpainted
        parts = [
            paint(time, _DIM),
            f"[{paint(f'{level:<{_WIDTH_OF_LEVEL}}', _LEVEL_COLORS[level] + _BRIGHT)}]",
            paint(f"{event:<{_WIDTH_OF_EVENT}}", _BRIGHT),
            # Quoted values keep line breaks and terminal codes out of the log.
            *(f"{paint(key, _CYAN)}={paint(repr(fields[key]), _MAGENTA)}" for key in sorted(fields)),
        ]
        return " ".join(parts).rstrip(" ")


class _PlainLogger:
    """The logger of one part."""

    def __init__(self, lines: PlainLines, target: str) -> None:
        self._lines = lines
        self._target = target

    def debug(self, event: str, **fields: Any) -> None:
        self.log(logging.DEBUG, event, **fields)

    def info(self, event: str, **fields: Any) -> None:
        self.log(logging.INFO, event, **fields)

    def warning(self, event: str, **fields: Any) -> None:
        self.log(logging.WARNING, event, **fields)

    def error(self, event: str, **fields: Any) -> None:
        self.log(logging.ERROR, event, **fields)

    def exception(self, event: str, **fields: Any) -> None:
        self.log(logging.ERROR, event, **{"exc_info": True, **fields})

    def log(self, level: int, event: str, **fields: Any) -> None:
        self._lines.add(level, {"target": self._target, **fields, "event": event})


def _traceback(failure: Any) -> str:
    """Return the traceback of an exception, of what `sys.exc_info` returns, or, for True, of what is being handled."""
    if isinstance(failure, tuple):
        failure = failure[1]
    elif failure is True:
        failure = sys.exc_info()[1]
    # The frames' variables may be secrets, and are left out.
    return "".join(traceback.format_exception(failure)).rstrip("\n") if isinstance(failure, BaseException) else ""


def _place() -> dict[str, Any]:
    """Return the file and the line that logged."""
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_OWN_MODULES):
        frame = frame.f_back
    return {"filename": os.path.basename(frame.f_code.co_filename), "lineno": frame.f_lineno}


def _painted(text: str, style: str) -> str:
    return f"{style}{text}{_RESET}"


def _unpainted(text: str, _style: str) -> str:
    return text
