"""Reads settings from environment variables; sections declare the names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_origin

from pydantic.fields import FieldInfo

from sockudo.config.kinds.section import Section, env_of, key_of, section_of
from sockudo.config.kinds.values import Truth

_TRUE: Final = frozenset({"true", "1", "yes", "on"})
_FALSE: Final = frozenset({"false", "0", "no", "off"})
_SERVICE_URL: Final = re.compile(r"(tcp|udp|sctp)://", re.ASCII)
_MENTION: Final = re.compile(r"\$\{\s*([A-Za-z_]\w*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one variable says about one setting."""

    path: tuple[str, ...]
    variable: str
    value: Any


def read_environment(model: type[Section], environ: Mapping[str, str]) -> list[Reading]:
    """Collect every setting of `model` that a variable sets. Values are checked later, together with the file's."""
    found: list[Reading] = []
    for name, field in model.model_fields.items():
        key = key_of(name, field)
        inner = section_of(field)
        if inner is not None:
            found += [
                Reading((key, *reading.path), reading.variable, reading.value)
                for reading in read_environment(inner, environ)
            ]
            continue
        reading = _read_field(key, field, environ)
        if reading is not None:
            found.append(reading)
    return found


def _read_field(key: str, field: FieldInfo, environ: Mapping[str, str]) -> Reading | None:
    mark = env_of(field)
    if mark is None:
        return None
    if mark.switch_on is not None:
        value = shape(field, environ.get(mark.switch_on, "").strip())
        if value not in (False, ""):
            return Reading((key,), mark.switch_on, value)
    for variable in mark.names:
        text = environ.get(variable, "").strip()
        if text and not _is_a_service_port(variable, text):
            return Reading((key,), variable, shape(field, text))
    return None


def _is_a_service_port(variable: str, text: str) -> bool:
    """Whether Kubernetes or a container link made it, for a neighbour whose name gives the same variable."""
    return variable.endswith("_PORT") and _SERVICE_URL.match(text) is not None


def variables_of(model: type[Section]) -> Iterator[str]:
    """Yield every variable that may set something in a section; some are there more than once."""
    for field in model.model_fields.values():
        inner, mark = section_of(field), env_of(field)
        if inner is not None:
            yield from variables_of(inner)
        elif mark is not None:
            yield from mark.all_names


def mentioned_variables(document: Any) -> frozenset[str]:
    """Find the variables that the texts of a document name as `${NAME}`."""
    found: set[str] = set()
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            found.update(_MENTION.findall(value))
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return frozenset(found)


def shape(field: FieldInfo, text: str) -> Any:
    """Shape the text as a file would have it. What cannot be shaped stays text and is refused later."""
    if any(isinstance(mark, Truth) for mark in field.metadata):
        lowered = text.lower()
        return True if lowered in _TRUE else False if lowered in _FALSE else text
    if get_origin(field.annotation) is tuple:
        return [item.strip() for item in text.split(",") if item.strip()] or _blanks(text)
    return text


def _blanks(text: str) -> list[str]:
    """Commas alone are an entry without text, which is refused: an empty list often allows everything."""
    return [""] if text.strip() else []
