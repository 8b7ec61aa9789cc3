"""Logging: writes each event as one line on stdout, for people or as JSON, and masks secrets.

Secrets never reach a line: values are masked by the name of their key, long values are cut, and tracebacks are printed
without the variables of their frames. Lines of other libraries (asyncio's, for one) take the same way.

Logging never raises and never waits: a thread writes the lines, and what cannot be written is counted (`log_writer`).

What makes the lines is chosen when the process knows what it is (`log_structlog`, `log_plain`), so that a process that
has to stay small can import all that logs.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import logging
import sys
from collections.abc import Iterator
from typing import Any, Final, TextIO, cast

from sockudo.log_lines import Form, Lines, Logger
from sockudo.log_plain import PlainLines
from sockudo.log_writer import LineWriter, StreamWriter, writer_for

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
    # What `configure` was told, so that `switch_debug` can make the lines anew.
    configured: int = logging.INFO
    form: Form | None = None
    plain: bool = False
    writer: LineWriter | StreamWriter = StreamWriter(None)
    lines: Lines | None = None


def configure(
    *,
    level: str = "info",
    output_format: str = "human",
    debug: bool = False,
    colors: bool = True,
    include_target: bool = True,
    plain: bool = False,
) -> None:
    """Set up logging for the process. `debug` adds the file and line that logged; colours need a terminal.

    The lines are the same with `plain`, which does without structlog.
    """
    threshold = _LEVELS[level]
    stdout: TextIO | None = sys.stdout  # None where the process was started with a closed one
    form = Form(output_format, colors and stdout is not None and stdout.isatty(), debug, include_target)
    reset()
    _State.form, _State.plain, _State.configured = form, plain, threshold
    lines = _make_lines(form, threshold)
    _State.writer = writer_for(stdout, lines.losses)
    _take_over_other_libraries(threshold)


def switch_debug(*, on: bool | None = None) -> None:
    """Show lines for debugging from now on, or the configured level again; without `on`, whichever it is not now.

    Where debugging is what was configured, the other level is `info`.
    """
    if _State.form is None:
        return
    if on is None:
        on = not shows_debug()
    usual = logging.INFO if _State.configured <= logging.DEBUG else _State.configured
    _make_lines(_State.form, logging.DEBUG if on else usual)
    # A warning, so that it is seen whatever the level.
    get_logger("sockudo.log").warning("debug lines switched on" if on else "debug lines switched off")


def _make_lines(form: Form, threshold: int) -> Lines:
    if _State.plain:
        before = _State.lines
        lines: Lines = PlainLines(form, threshold, write, _lose)
        if isinstance(before, PlainLines):
            lines.label(before.labels)
    else:
        lines = _with_structlog(form, threshold)
    _State.lines, _State.threshold = lines, threshold
    return lines


def reset() -> None:
    """Undo `configure`; lines that wait are written first, if that is possible soon."""
    if _State.lines is not None:
        _State.lines.close()
    _State.lines = _State.form = None
    _State.threshold = logging.INFO
    _State.writer.close(_FLUSH_SECONDS)
    _State.writer = StreamWriter(None)


def flush() -> None:
    """Wait until the lines so far are written, but not for long where nobody reads them."""
    _State.writer.flush(_FLUSH_SECONDS)


def write(text: str) -> None:
    """Write text that is no event, such as the banner, in its place among the lines."""
    _State.writer.write(text)


@contextlib.contextmanager
def held() -> Iterator[io.StringIO]:
    """Keep the lines meanwhile, for a process that goes on as another program; a failure lets them be written."""
    writer, kept = _State.writer, io.StringIO()
    _State.writer = StreamWriter(kept)
    try:
        yield kept
    finally:
        _State.writer = writer
        if kept.getvalue():
            writer.write(kept.getvalue())


def shows_debug() -> bool:
    """Tell whether lines for debugging are written: what only they need, need not be made otherwise."""
    return _State.threshold <= logging.DEBUG


def shows_info() -> bool:
    """Tell whether informational lines are written."""
    return _State.threshold <= logging.INFO


def get_logger(name: str) -> Logger:
    """Make the logger of one part of the server; `name` is the target that lines show."""
    return cast(Logger, _LaterLogger(name))


def label(**fields: str | int) -> None:
    """Let every line of this process carry some fields."""
    _lines().label(fields)


class _LaterLogger:
    """A logger that may be made before anything is set up, and that follows every later set-up."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, method: str) -> Any:
        return getattr(_lines().logger(self._name), method)


def _lines() -> Lines:
    if _State.lines is None:
        from sockudo.log_structlog import StructlogLines

        _State.lines = StructlogLines()
    return _State.lines


def _with_structlog(form: Form, threshold: int) -> Lines:
    from sockudo.log_structlog import StructlogLines

    return StructlogLines().configure(form, threshold, write, _lose)


def _lose(reason: str) -> None:
    _State.writer.lose(reason)


class _Forward(logging.Handler):
    """Takes over the records of the standard library's logging."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            get_logger(record.name).log(record.levelno, record.getMessage(), exc_info=record.exc_info)
        except Exception as problem:
            # A library has given arguments that do not fit its message, or a level that has no name.
            _lose(f"{type(problem).__name__} while a line of {record.name} was made")


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
