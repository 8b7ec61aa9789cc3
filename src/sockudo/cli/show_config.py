"""The effective settings as a table for people, or as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from sockudo.config.effective import Effective, effective
from sockudo.config.load import Loaded

_HEADS: Final = ("setting", "value", "from")
# Longer values push their origin out of its column instead of all others.
_WIDEST_VALUE: Final = 32


def as_table(loaded: Loaded) -> str:
    """Lay the settings out in three columns."""
    rows = [_HEADS, *((one.path, _value(one), _origin(one)) for one in effective(loaded))]
    setting = max(len(row[0]) for row in rows)
    value = min(max(len(row[1]) for row in rows), _WIDEST_VALUE)
    return "".join(f"{row[0]:{setting}}  {row[1]:{value}}  {row[2]}\n" for row in rows)


def as_json(loaded: Loaded, warnings: Sequence[str]) -> str:
    """Write the settings and the warnings as one JSON object."""
    settings = [
        {"setting": one.path, "value": one.value, "source": one.source, "name": one.name} for one in effective(loaded)
    ]
    return json.dumps({"warnings": list(warnings), "settings": settings}, indent=2) + "\n"


def _value(one: Effective) -> str:
    text = json.dumps(one.value, ensure_ascii=False)
    return "".join(character if character.isprintable() else f"\\u{ord(character):04x}" for character in text)


def _origin(one: Effective) -> str:
    return one.source if one.name is None else f"{one.source} {one.name}"
