"""Converts single values of other servers; each function raises NoEqual for a value without an equal.

Files have JSON values, environments have text. Both are taken: soketi reads a variable as JSON where it is JSON, and
Laravel knows words such as `true` and `null`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from sockudo.migration.draft import NoEqual
from sockudo.migration.nesting import as_list

Conversion: TypeAlias = Callable[[Any], Any]

_TRUE: Final = frozenset({"true", "(true)", "1", "yes", "on"})
_FALSE: Final = frozenset({"false", "(false)", "0", "no", "off", "null", "(null)", "empty", "(empty)", ""})


def text(value: Any) -> str:
    """A text; a number is taken as it is written."""
    if isinstance(value, str) and value.strip() and not _has_half_characters(value):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise NoEqual("is no text")


def flag(value: Any) -> bool:
    """True or false."""
    if value is None:
        return False
    word = str(value).strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise NoEqual("is neither true nor false")


def number(value: Any) -> float:
    """A number, also as text."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise NoEqual("is no number") from None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise NoEqual("is no number")
    try:
        found = float(value)
    except OverflowError:  # an integer with hundreds of digits
        found = math.inf
    if not math.isfinite(found):
        raise NoEqual("is no number")
    return found


def whole(value: Any) -> int:
    """A whole number that is not negative. Parts of one are rounded up: nothing is refused that was allowed."""
    found = number(value)
    if found < 0:
        raise NoEqual("is negative")
    return math.ceil(found)


def positive(value: Any) -> int:
    """A whole number above zero."""
    found = whole(value)
    if found == 0:
        raise NoEqual("is zero, which is no limit that a server could keep")
    return found


def seconds(value: Any) -> int:
    """Milliseconds -> seconds."""
    return whole(number(value) / 1000)


def positive_seconds(value: Any) -> int:
    """Milliseconds -> seconds, at least one."""
    return max(1, seconds(value))


def kibibytes(value: Any) -> int:
    """Bytes -> KB, at least one."""
    return max(1, math.ceil(positive(value) / 1024))


def mebibytes(value: Any) -> int:
    """Bytes -> MB, at least one."""
    return max(1, math.ceil(positive(value) / 1024**2))


def milliseconds(value: Any) -> int:
    """Seconds -> milliseconds."""
    return positive(number(value) * 1000)


def share(value: Any) -> float:
    """Per cent -> a number from 0 to 1."""
    found = number(value) / 100
    if not 0 <= found <= 1:
        raise NoEqual("is no share of the whole")
    return found


def texts(value: Any) -> list[str]:
    """A list of texts, or one text."""
    return [text(item) for item in entries(value)]


def entries(value: Any) -> list[Any]:
    """The entries of a list, whatever they are; any other value is the only entry."""
    items = parsed(value) if isinstance(value, str) and value.lstrip().startswith("[") else as_list(value)
    return items if isinstance(items, list) else [items]


def listed(value: Any) -> list[Any]:
    """The entries of a list, also as the text of JSON, or as an object whose keys count them; nothing is none."""
    items = as_list(parsed(value)) or []
    if not isinstance(items, list):
        raise NoEqual("is no list")
    return items


def objects(value: Any) -> list[dict[str, Any]]:
    """A list of objects; nothing is an empty one."""
    items = parsed(value) or []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise NoEqual("is no list of objects")
    return items


def members(value: Any) -> dict[str, Any]:
    """An object; nothing is an empty one."""
    found = parsed(value) or {}
    if not isinstance(found, dict):
        raise NoEqual("is no object")
    return found


def parsed(value: Any) -> Any:
    """What a text says as JSON; other values are themselves."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value.strip() else None
    except (ValueError, RecursionError):
        raise NoEqual("is no JSON") from None


def _has_half_characters(value: str) -> bool:
    """Whether JSON has named a half of a character alone, which nothing can be written with."""
    return any("\ud800" <= one <= "\udfff" for one in value)
