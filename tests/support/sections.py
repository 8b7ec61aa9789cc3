"""Options of drivers with other settings, for tests."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

T = TypeVar("T", bound=Any)


def changed(options: T, **changes: Any) -> T:
    """Return options with changes: those that are no fields of their own are settings of their section."""
    own = {name: changes.pop(name) for name in [one.name for one in fields(options)] if name in changes}
    assert changes.keys() <= set(type(options.section).model_fields)
    result: T = replace(options, section=options.section.model_copy(update=changes), **own)
    return result
