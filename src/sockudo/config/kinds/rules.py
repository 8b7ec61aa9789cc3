"""Rules between several fields of a section: how they are written, and how they are reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import ModelWrapValidatorHandler, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from sockudo.config.kinds.section import Section
from sockudo.config.problems import Location

_Section = TypeVar("_Section", bound=Section)


def rule_broken(location: Sequence[str | int], sentence: str) -> InitErrorDetails:
    """Make the problem of a rule that does not hold, at a place inside of the section."""
    return InitErrorDetails(
        type=PydanticCustomError("rule", "{text}", {"text": sentence}), loc=tuple(location), input=None
    )


def check_with_rules(
    title: str,
    data: Any,
    handler: ModelWrapValidatorHandler[_Section],
    broken: list[InitErrorDetails],
    places: Mapping[str, Location] | None = None,
) -> _Section:
    """Validate a section, and report the rules that its raw data breaks in the same breath.

    Args:
        title: what pydantic calls the section.
        data: what a file or a database has.
        handler: validates the fields.
        broken: the rules that the data breaks.
        places: where keys of the data really stand, if not at the top of the section.

    Raises:
        ValidationError: a field is wrong or a rule is broken; has all of them.
    """
    try:
        section = handler(data)
    except ValidationError as error:
        raise _joined(error, title, broken, places or {}) from None
    if broken:
        raise _joined(None, title, broken, {})
    return section


def _joined(
    error: ValidationError | None, title: str, broken: list[InitErrorDetails], places: Mapping[str, Location]
) -> ValidationError:
    lines = [
        InitErrorDetails(
            type=PydanticCustomError(line["type"], "{text}", {**line.get("ctx", {}), "text": line["msg"]}),
            loc=_moved(line["loc"], places),
            input=line["input"],
        )
        for line in (error.errors(include_url=False) if error else [])
    ]
    return ValidationError.from_exception_data(title, [*lines, *broken], hide_input=True)


def _moved(location: Location, places: Mapping[str, Location]) -> Location:
    """Return where a place really is."""
    if not location:
        return location
    return (*places.get(str(location[0]), location[:1]), *location[1:])
