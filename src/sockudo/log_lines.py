"""What every line of the log has in common, whatever makes it: its form, the interface of loggers, masked secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol

LONGEST_VALUE: Final = 500
MASK: Final = "***"
_SECRET_KEY: Final = re.compile(r"(^|[_\-.])(secret|auth|password|token|signature|authorization)$", re.IGNORECASE)
_DEEPEST: Final = 8


class Form(NamedTuple):
    """How lines look.

    Attributes:
        output_format: `human` for people, `json` for one object a line.
        colors: whether lines for people are coloured.
        debug: whether lines have the file and the line that logged.
        include_target: whether lines name the part that logged.
    """

    output_format: str
    colors: bool
    debug: bool
    include_target: bool


class Logger(Protocol):
    """The logger of one part. No method raises or waits."""

    def debug(self, event: str, **fields: Any) -> None:
        """Log what only a developer wants to know."""

    def info(self, event: str, **fields: Any) -> None:
        """Log what happens in the ordinary course."""

    def warning(self, event: str, **fields: Any) -> None:
        """Log what an operator should look at."""

    def error(self, event: str, **fields: Any) -> None:
        """Log a failure."""

    def exception(self, event: str, **fields: Any) -> None:
        """Log a failure together with the exception that is being handled."""

    def log(self, level: int, event: str, **fields: Any) -> None:
        """Log with a level of the standard library."""


class Lines(Protocol):
    """Makes the lines of a process."""

    def logger(self, target: str) -> Logger:
        """Return the logger of the part that lines name as their target."""
        ...

    def label(self, fields: Mapping[str, str | int]) -> None:
        """Let every line carry some fields."""

    def losses(self, lost: int, reason: str) -> str:
        """Return the line that tells how many others were lost."""
        ...

    def close(self) -> None:
        """Make no more lines."""


def losses_fields(lost: int, reason: str) -> dict[str, Any]:
    """Return what the line about lost lines says, its event included."""
    return {"event": "log lines lost", "target": "sockudo.log", "lines": lost, "reason": reason}


def protect(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Mask secrets and cut long texts, also inside of nested values."""
    return {key: _protected(key, value, 0) for key, value in fields.items()}


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
