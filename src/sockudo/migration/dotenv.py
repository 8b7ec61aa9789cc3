"""Reads an `.env` file in the two dialects that soketi and Laravel read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

# A name, then a text in quotes, which may have several lines, or what is left of the line.
_ENTRY: Final = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][\w.-]*)[ \t]*=[ \t]*
        (?:"(?P<double>(?:\\.|[^"\\])*)"|'(?P<single>[^']*)'|`(?P<tick>[^`]*)`|(?P<plain>[^\r\n]*))""",
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$"}
_REFERENCE: Final = re.compile(r"(?<!\\)\$\{([A-Za-z_][\w.]*)\}")
_AFTER_SPACE: Final = re.compile(r"(?:^|\s)#.*")
_ANYWHERE: Final = re.compile(r"#.*")


def read_node(content: str) -> dict[str, str]:
    """Read it as Node's `dotenv` does: a `#` ends a value that is not quoted, and names in values mean nothing."""
    found = {}
    for entry in _ENTRY.finditer(content):
        value = entry["single"] if entry["single"] is not None else entry["tick"]
        if value is None and entry["double"] is not None:
            # Line breaks are the only escapes it knows.
            value = entry["double"].replace("\\n", "\n").replace("\\r", "\r")
        found[entry["name"]] = _ANYWHERE.sub("", entry["plain"]).strip() if value is None else value
    return found


def read_laravel(content: str) -> dict[str, str]:
    """Read it as Laravel does: a `#` after a space ends a value, and `${NAME}` in one stands for an earlier value."""
    found: dict[str, str] = {}
    for entry in _ENTRY.finditer(content):
        found[entry["name"]] = _laravel_value(entry, found)
    return found


def _laravel_value(entry: re.Match[str], earlier: Mapping[str, str]) -> str:
    if entry["single"] is not None:
        return entry["single"]

    def resolved(value: str) -> str:
        return _REFERENCE.sub(lambda name: earlier.get(name[1], name[0]), value)

    if entry["double"] is not None:
        return _ESCAPE.sub(lambda escape: _ESCAPES.get(escape[1], escape[0]), resolved(entry["double"]))
    plain = entry["plain"] if entry["tick"] is None else f"`{entry['tick']}`"
    return resolved(_AFTER_SPACE.sub("", plain).strip())
