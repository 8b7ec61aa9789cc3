"""Logging: writes each event as one line on stdout, for people or as JSON, and masks secrets.

Secrets never reach a line: values are masked by the name of their key, long values are cut, and tracebacks are printed
without the variables of their frames. Lines of other libraries (asyncio's, for one) take the same way.

Logging never raises and never waits: a thread writes the lines, and what cannot be written is counted (`log_writer`).
"""

from __future__ import annotations

import atexit
import logging
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from sockudo.log_writer import LineWriter, StreamWriter, writer_for

LONGEST_VALUE: Final = 500
MASK: Final = "***"
_SECRET_KEY: Final = re.compile(r"(^|[_\-.])(secret|auth|password|token|signature|authorization)$", re.IGNORECASE)
_DEEPEST: Final = 8
# Libraries that tell each attempt to reach a server; that it is gone, or back, is told once by who uses them.
_TALKATIVE: Final = ("cassandra", "sqlalchemy.pool")
_LEVELS: Final = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "off": logging.CRITICAL,  # the server itself logs nothing so grave
}
# How long a process that ends waits for its last lines to be written.
_FLUSH_SECONDS: Final = 2.0


class _State:
    """What `configure` has set up for this process."""

    threshold: int = logging.INFO
    writer: LineWriter | StreamWriter = StreamWriter(None)


def configure(
    *,
    level: str = "info",
    output_format: str = "human",
    debug: bool = False,
    colors: bool = True,
    include_target: bool = True,
) -> None:
    """Set up logging for the process. `debug` adds the file and line that logged; colours need a terminal."""
    threshold = _LEVELS[level]
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        protect,
    ]
    if not include_target:
        processors.insert(0, _drop_target)
    if debug:
        parameters = structlog.processors.CallsiteParameter
        processors.insert(
            0, structlog.processors.CallsiteParameterAdder({parameters.FILENAME, parameters.LINENO}, ["sockudo.log"])
        )
    stdout: TextIO | None = sys.stdout  # None where the process was started with a closed one
    processors += _renderers(output_format, colors=colors and stdout is not None and stdout.isatty())
    reset()
    _State.threshold = threshold
    _State.writer = writer_for(stdout, lambda lost, reason: _losses(processors, lost, reason))
    structlog.configure(
        processors=processors,
        wrapper_class=_unfailing(structlog.make_filtering_bound_logger(threshold)),
        logger_factory=_Output,
    )
    _take_over_other_libraries(threshold)


def reset() -> None:
    """Undo `configure`; lines that wait are written first, if that is possible soon."""
    structlog.reset_defaults()
    _State.threshold = logging.INFO
    _State.writer.close(_FLUSH_SECONDS)
    _State.writer = StreamWriter(None)


def flush() -> None:
    """Wait until the lines so far are written, but not for long where nobody reads them."""
    _State.writer.flush(_FLUSH_SECONDS)


def write(text: str) -> None:
    """Write text that is no event, such as the banner, in its place among the lines."""
    _State.writer.write(text)


def shows_debug() -> bool:
    """Tell whether lines for debugging are written: what only they need, need not be made otherwise."""
    return _State.threshold <= logging.DEBUG


def shows_info() -> bool:
    """Tell whether informational lines are written."""
    return _State.threshold <= logging.INFO


def get_logger(name: str) -> FilteringBoundLogger:
    """Make the logger of one part of the server; `name` is the target that lines show."""
    logger: FilteringBoundLogger = structlog.get_logger(target=name)
    return logger


def label(**fields: str | int) -> None:
    """Let every line of this process carry some fields."""
    structlog.contextvars.bind_contextvars(**fields)


def protect(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Mask secrets and cut long texts, also inside of nested values."""
    return {key: _protected(key, value, 0) for key, value in event.items()}


def _protected(key: str, value: Any, depth: int) -> Any:
    if _SECRET_KEY.search(key):
        return MASK
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if isinstance(value, str):
        return value if len(value) <= LONGEST_VALUE else f"{value[:LONGEST_VALUE]}... ({len(value)} characters)"
    if depth >= _DEEPEST:
        return "..." if isinstance(value, (Mapping, list, tuple, set, frozenset)) else value
    if isinstance(value, Mapping):
        return {str(inner): _protected(str(inner), item, depth + 1) for inner, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_protected("", item, depth + 1) for item in value]
    return value


def _drop_target(_logger: Any, _method: str, event: EventDict) -> EventDict:
    event.pop("target", None)
    return event


def _renderers(output_format: str, *, colors: bool) -> list[Processor]:
    if output_format == "json":
        return [
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    # Quoted values keep line breaks and terminal codes that a peer sent out of the log. The rich traceback of structlog
    # would print local variables, and with them secrets.
    return [
        structlog.dev.ConsoleRenderer(
            colors=colors, repr_native_str=True, exception_formatter=structlog.dev.plain_traceback
        )
    ]


class _Output:
    """Hands rendered lines to the writer; structlog calls the method that is named like the level."""

    def __init__(self, *_: Any) -> None:
        self._writer = _State.writer

    def msg(self, line: str) -> None:
        self._writer.write(line + "\n")

    log = debug = info = warn = warning = error = critical = exception = fatal = msg


def _unfailing(base: type[Any]) -> type[Any]:
    """Return a logger whose lines may fail to be made (a value that cannot be shown), and whose callers never do."""

    class Unfailing(base):  # type: ignore[misc]  # structlog makes its base at run time
        def _proxy_to_logger(self, method_name: str, event: str | None = None, **fields: Any) -> Any:
            try:
                return super()._proxy_to_logger(method_name, event, **fields)
            except Exception as problem:
                _State.writer.lose(f"{type(problem).__name__} while the line was made")

    return Unfailing


def _losses(processors: Sequence[Processor], lost: int, reason: str) -> str:
    """Return the line that tells how many others were lost."""
    line: Any = {"event": "log lines lost", "target": "sockudo.log", "lines": lost, "reason": reason}
    for process in processors:
        line = process(None, "warning", line)
    return f"{line}\n"


class _Forward(logging.Handler):
    """Hands the records of the standard library's logging to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            get_logger(record.name).log(record.levelno, record.getMessage(), exc_info=record.exc_info)
        except Exception as problem:
            # A library has given arguments that do not fit its message, or a level that has no name.
            _State.writer.lose(f"{type(problem).__name__} while a line of {record.name} was made")


def _take_over_other_libraries(threshold: int) -> None:
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _Forward)]:
        root.removeHandler(handler)
    root.addHandler(_Forward())
    # What libraries say about their own debugging is not about this server.
    root.setLevel(max(threshold, logging.INFO))
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)


# Before the interpreter ends its threads, and with them the one that writes.
atexit.register(flush)
