"""Rules between several fields: how they are worded, and how they are reported beside what single fields got wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import ModelWrapValidatorHandler, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from sockudo.config.section import Section

_Section = TypeVar("_Section", bound=Section)


def rule_broken(location: Sequence[str | int], sentence: str) -> InitErrorDetails:
    """Make the problem of a rule that does not hold, at a place inside of the section."""
    return InitErrorDetails(
        type=PydanticCustomError("rule", "{text}", {"text": sentence}), loc=tuple(location), input=None
    )


def check_with_rules(
    title: str, data: Any, handler: ModelWrapValidatorHandler[_Section], broken: list[InitErrorDetails]
) -> _Section:
    """Validate a section, and report the rules that its raw data breaks in the same breath.

    Raises:
        ValidationError: a field is wrong or a rule is broken; has all of them.
    """
    try:
        section = handler(data)
    except ValidationError as error:
        raise _joined(error, title, broken) from None
    if broken:
        raise _joined(None, title, broken)
    return section


def _joined(error: ValidationError | None, title: str, broken: list[InitErrorDetails]) -> ValidationError:
    lines = [
        InitErrorDetails(
            type=PydanticCustomError(line["type"], "{text}", {**line.get("ctx", {}), "text": line["msg"]}),
            loc=line["loc"],
            input=line["input"],
        )
        for line in (error.errors(include_url=False) if error else [])
    ]
    return ValidationError.from_exception_data(title, [*lines, *broken], hide_input=True)
