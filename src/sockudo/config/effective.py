"""Lists every setting in effect: its value without secrets, and its source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from sockudo.config.checks.unknown import item_section_of
from sockudo.config.kinds.addresses import Address, without_login
from sockudo.config.kinds.section import Section, key_of, section_of
from sockudo.config.load import Loaded
from sockudo.config.problems import Location, path_text

Source = Literal["default", "file", "environment", "flag"]

HIDDEN: Final = "***"


@dataclass(frozen=True, slots=True)
class Effective:
    """One setting. `value` is ready for JSON and holds no secret; `name` is the file, the variable or the option."""

    path: str
    value: Any
    source: Source
    name: str | None = None


def effective(loaded: Loaded) -> list[Effective]:
    """List every setting, in the order of the reference; each entry of a list of objects has its own lines."""
    return list(_SettingsWalk(loaded).section(loaded.settings, ()))


class _SettingsWalk:
    def __init__(self, loaded: Loaded) -> None:
        self._setters = loaded.sources
        self._variables = loaded.variables
        self._file = None if loaded.config_file is None else str(loaded.config_file)

    def section(self, section: Section, here: Location, *, in_file: bool = True) -> Iterator[Effective]:
        """Yield what is in a section; without `in_file`, none of it came from the file."""
        for name, field in type(section).model_fields.items():
            value, place = getattr(section, name), (*here, key_of(name, field))
            if isinstance(value, Section):
                yield from self.section(value, place, in_file=in_file)
            elif _is_list_of_sections(field) and value:
                yield from self._entries(value, place, in_file=in_file)
            else:
                from_file = in_file and name in section.model_fields_set
                yield self._leaf(place, shown(value, field), from_file=from_file)

    def _entries(self, entries: tuple[Section, ...], here: Location, *, in_file: bool) -> Iterator[Effective]:
        for index, entry in enumerate(entries):
            place = (*here, index)
            # The environment adds an app as a whole: what it leaves open there is a default. Where it only lays values
            # over an app of the file, the id is the file's.
            added = _dotted((*place, "id")) in self._setters
            yield from self.section(entry, place, in_file=in_file and not added)

    def _leaf(self, place: Location, value: Any, *, from_file: bool) -> Effective:
        # A variable may set a whole list, with everything in it.
        setters = (self._setters.get(_dotted(place[:length])) for length in range(len(place), 0, -1))
        setter = next((one for one in setters if one is not None), None)
        if setter is not None:
            return Effective(path_text(place), value, "flag" if setter.startswith("--") else "environment", setter)
        if from_file:
            names = ", ".join(f"${{{name}}}" for name in self._variables.get(_dotted(place), ()))
            return Effective(path_text(place), value, "file", f"{self._file} ({names})" if names else self._file)
        return Effective(path_text(place), value, "default")


def shown(value: Any, field: FieldInfo) -> Any:
    """Return the value of a field, ready for JSON, with everything replaced that is or may be secret."""
    if isinstance(value, tuple):
        return [shown(item, field) for item in value]
    if isinstance(value, Mapping):
        return {key: shown(item, field) for key, item in value.items()}
    if not isinstance(value, str):
        return value
    kind = _address_kind(field)
    if kind is not None:
        return kind.shown(value)
    if not field.repr:
        return HIDDEN if value else value
    # A login has no business in other settings, which keeps nobody from writing one there.
    return without_login(value) if "://" in value and "@" in value else value


def _address_kind(field: FieldInfo) -> Address | None:
    """The kind of a field whose values, or whose entries, are addresses."""
    marks = field.metadata
    if get_origin(field.annotation) is tuple:
        marks = list(getattr(get_args(field.annotation)[0], "__metadata__", ()))
    return next((mark for mark in marks if isinstance(mark, Address)), None)


def _is_list_of_sections(field: FieldInfo) -> bool:
    return section_of(field) is None and item_section_of(field) is not None


def _dotted(place: Location) -> str:
    return ".".join(str(part) for part in place)
