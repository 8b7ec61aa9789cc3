"""Turns the errors of pydantic into lines for people: `path: what was expected, what was found`.

Only values whose kind allows it are quoted (see `values.py`); of all others the text names the type alone, because they
may hold a secret.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Self

from pydantic_core import ErrorDetails

Location = tuple[str | int, ...]
_LONGEST_QUOTE: Final = 80
_EXPECTED: Final = {
    "model_type": "an object",
    "model_attributes_type": "an object",
    "dict_type": "an object",
    "tuple_type": "a list",
    "list_type": "a list",
    "string_type": "a string",
    "string_unicode": "a string of valid Unicode",
}
_KINDS: Final[tuple[tuple[type | tuple[type, ...], str], ...]] = (
    (bool, "true or false"),
    ((int, float), "a number"),
    (str, "a string"),
    ((list, tuple), "a list"),
    (dict, "an object"),
)


class Interpolated(str):
    """A text of a file with variables in it. No error quotes it, because a variable may hold a secret.

    Attributes:
        variables: their names.
        empty: those of them that are set and empty, where the file has no default.
    """

    variables: tuple[str, ...]
    empty: tuple[str, ...]

    def __new__(cls, text: str, variables: tuple[str, ...], empty: tuple[str, ...] = ()) -> Self:
        """Make one of the text as it is with the variables put in."""
        made = super().__new__(cls, text)
        made.variables, made.empty = variables, empty
        return made

    @property
    def names(self) -> str:
        """The variables as the file has them."""
        return ", ".join(f"${{{name}}}" for name in self.variables)


def describe(errors: Sequence[ErrorDetails], document: Any, origin: Callable[[Location], str | None]) -> list[str]:
    """Turn validation errors into lines; `origin` knows which variable or option set a place, if not the file."""
    return [f"{_place(error['loc'], document, origin)}: {_sentence(error)}" for error in errors]


def path_text(location: Sequence[str | int]) -> str:
    """Write a place in the configuration as `section.list[2].key`."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if part.replace("_", "").replace("-", "").isalnum() and part.isascii() else quote(part)
            text += f".{name}" if text else name
    return text or "configuration"


def quote(value: Any) -> str:
    """Show a value briefly, safe for a terminal."""
    if value is not None and not isinstance(value, (str, bool, int, float)):
        return kind_of(value)
    try:
        text = json.dumps(value, ensure_ascii=False)
    except ValueError:  # an integer with thousands of digits
        return "a number"
    text = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}..."


def kind_of(value: Any) -> str:
    """Name the type of a value in the words of JSON."""
    if value is None:
        return "null"
    words = next((words for kind, words in _KINDS if isinstance(value, kind)), f"a {type(value).__name__}")
    if isinstance(value, (str, list, tuple, dict)) and not value:
        return f"an empty {words.split()[-1]}"
    return words


def _sentence(error: ErrorDetails) -> str:
    kind, found = error["type"], error["input"]
    if kind == "rule":
        return str(error["msg"])
    if kind == "missing":
        return "is required"
    if isinstance(found, Interpolated) and kind in ("expected", "unquoted"):
        return f"{error['msg']}, got {kind_of(found)} from {found.names}"
    why = error.get("ctx", {}).get("why", "")
    reason = f": it {why}" if why else ""
    if kind == "expected":
        return f"{error['msg']}, got {quote(found)}{reason}"
    expected = f"expected {_EXPECTED[kind]}" if kind in _EXPECTED else error["msg"]
    return f"{expected}, got {kind_of(found)}{reason}"


def _place(location: Location, document: Any, origin: Callable[[Location], str | None]) -> str:
    path = path_text(location)
    setter = origin(location)
    if setter is not None:
        return f"{setter} ({path})"
    app = _app_id(location, document)
    return path if app is None else f"{path} (app {quote(app)})"


def _app_id(location: Location, document: Any) -> str | None:
    """The id of the app that a place lies in, if it has one."""
    current = document
    for part in location:
        if isinstance(part, int):
            entry = current[part] if isinstance(current, (list, tuple)) and part < len(current) else None
            app = entry.get("id") if isinstance(entry, Mapping) and location[0] == "app_manager" else None
            return app if isinstance(app, str) and app else None
        if not isinstance(current, Mapping):
            return None
        current = current.get(part)
    return None
