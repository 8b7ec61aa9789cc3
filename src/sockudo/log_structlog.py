"""Makes the lines of the log with structlog, for every process but the supervisor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import structlog
from structlog.typing import EventDict, Processor

from sockudo.log_lines import Form, Logger, losses_fields, protect


class StructlogLines:
    """Sets up structlog for this process; before `configure`, lines look as they do without any set-up."""

    def __init__(self) -> None:
        self._processors: list[Processor] = []
        self._loggers: dict[str, Logger] = {}

    def configure(
        self, form: Form, threshold: int, write: Callable[[str], None], lose: Callable[[str], None]
    ) -> StructlogLines:
        """Let lines from a level on have this form; `lose` is told why a line could not be made."""
        self._processors = _processors(form)
        structlog.configure(
            processors=self._processors,
            wrapper_class=_unfailing(structlog.make_filtering_bound_logger(threshold), lose),
            logger_factory=lambda *_: _Output(write),
        )
        return self

    def logger(self, target: str) -> Logger:
        """Return the logger of one part."""
        logger = self._loggers.get(target)
        if logger is None:
            lazy: Any = structlog.get_logger(target=target)
            if not self._processors:
                return cast(Logger, lazy)
            # What structlog returns looks the set-up up for each line, which costs two microseconds.
            logger = self._loggers[target] = cast(Logger, lazy.bind())
        return logger

    def label(self, fields: Mapping[str, str | int]) -> None:
        """Let every line carry some fields."""
        structlog.contextvars.bind_contextvars(**fields)

    def losses(self, lost: int, reason: str) -> str:
        """Return the line that tells how many others were lost."""
        line: Any = losses_fields(lost, reason)
        for process in self._processors:
            line = process(None, "warning", line)
        return f"{line}\n"

    def close(self) -> None:
        """Undo `configure`."""
        structlog.reset_defaults()


def _processors(form: Form) -> list[Processor]:
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _protect,
    ]
    if not form.include_target:
        processors.insert(0, _drop_target)
    if form.debug:
        parameters = structlog.processors.CallsiteParameter
        processors.insert(
            0, structlog.processors.CallsiteParameterAdder([parameters.FILENAME, parameters.LINENO], ["sockudo.log"])
        )
    return processors + _renderers(form)


def _protect(_logger: Any, _method: str, event: EventDict) -> EventDict:
    return protect(event)


def _drop_target(_logger: Any, _method: str, event: EventDict) -> EventDict:
    event.pop("target", None)
    return event


def _renderers(form: Form) -> list[Processor]:
    if form.output_format == "json":
        return [
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    # Quoted values keep line breaks and terminal codes that a peer sent out of the log. The rich traceback of structlog
    # would print local variables, and with them secrets.
    return [
        structlog.dev.ConsoleRenderer(
            colors=form.colors, repr_native_str=True, exception_formatter=structlog.dev.plain_traceback
        )
    ]


class _Output:
    """Hands rendered lines on; structlog calls the method that is named like the level."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def msg(self, line: str) -> None:
        self._write(line + "\n")

    log = debug = info = warn = warning = error = critical = exception = fatal = msg


def _unfailing(base: type[Any], lose: Callable[[str], None]) -> type[Any]:
    """Return a logger whose lines may fail to be made (a value that cannot be shown), and whose callers never do."""

    class Unfailing(base):  # type: ignore[misc]  # structlog makes its base at run time
        def _proxy_to_logger(self, method_name: str, event: str | None = None, **fields: Any) -> Any:
            try:
                return super()._proxy_to_logger(method_name, event, **fields)
            except Exception as problem:
                lose(f"{type(problem).__name__} while the line was made")

    return Unfailing
