"""Logging: one line for each event on stdout, for people or as JSON.

Secrets never reach a line: values are masked by the name of their key, long values are cut, and tracebacks are printed
without the variables of their frames. Lines of other libraries (asyncio's, for one) take the same way.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, Final

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

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
    structlog.configure(
        processors=processors + _renderers(output_format, colors=colors and sys.stdout.isatty()),
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        # Unlike print, it writes a line at once and whole, so that lines of several workers do not mix.
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
    )
    _take_over_other_libraries(threshold)


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


class _Forward(logging.Handler):
    """Hands the records of the standard library's logging to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        get_logger(record.name).log(record.levelno, record.getMessage(), exc_info=record.exc_info)


def _take_over_other_libraries(threshold: int) -> None:
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _Forward)]:
        root.removeHandler(handler)
    root.addHandler(_Forward())
    # What libraries say about their own debugging is not about this server.
    root.setLevel(max(threshold, logging.INFO))
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)
