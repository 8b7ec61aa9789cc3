"""Shapes a text with variables in it for its setting, as an environment variable would be shaped.

A number may be text in any file. A switch (`"${FLAG}"`) and a list (`"${A},${B}"`) become one here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_origin

from pydantic.fields import FieldInfo

from sockudo.config.checks.unknown import item_section_of
from sockudo.config.environment import shape
from sockudo.config.kinds.addresses import Address
from sockudo.config.kinds.section import Section, key_of, section_of
from sockudo.config.problems import Interpolated, Location, path_text
from sockudo.config.sections.app import AppSettings
from sockudo.config.sections.app_policy import POLICY
from sockudo.errors import ConfigError

# Properties of an app that are credentials although they may be shown.
_PUBLIC_CREDENTIALS = ("id", "key")


def shape_interpolated(document: dict[str, Any], model: type[Section]) -> dict[str, tuple[str, ...]]:
    """Shape the texts of a document in place; return which variables are in which setting.

    Raises:
        ConfigError: a credential is empty because a variable is; has all of them.
    """
    walk = _VariablesWalk()
    walk.section(document, model, (), ())
    if walk.problems:
        raise ConfigError(walk.problems)
    return walk.variables


class _VariablesWalk:
    def __init__(self) -> None:
        self.variables: dict[str, tuple[str, ...]] = {}
        self.problems: list[str] = []

    def section(self, section: dict[str, Any], model: type[Section], path: Location, setting: Location) -> None:
        """Go through a section. `path` is where it stands in the file, `setting` what its settings are called."""
        for name, field in model.model_fields.items():
            key = key_of(name, field)
            if key in section:
                section[key] = self._value(section[key], field, (*path, key), (*setting, key))
        if issubclass(model, AppSettings) and isinstance(section.get(POLICY), dict):
            here, policy = (*path, POLICY), section[POLICY]
            self.section(policy, model, here, setting)
            for group, part in policy.items():
                if isinstance(part, dict):
                    self.section(part, model, (*here, group), setting)

    def _value(self, value: Any, field: FieldInfo, path: Location, setting: Location) -> Any:
        inner = section_of(field) or item_section_of(field)
        if inner is not None:
            for index, item in enumerate(value) if isinstance(value, list) else ():
                if isinstance(item, dict):
                    self.section(item, inner, (*path, index), (*setting, index))
            if isinstance(value, dict):
                self.section(value, inner, path, setting)
            return value
        for place, text in _texts(value):
            self._note(text, field, (*path, *place), setting)
        return _shaped(value, field) if isinstance(value, Interpolated) else value

    def _note(self, text: Interpolated, field: FieldInfo, path: Location, setting: Location) -> None:
        name = ".".join(map(str, setting))
        self.variables[name] = tuple(dict.fromkeys((*self.variables.get(name, ()), *text.variables)))
        if not text.strip() and get_origin(field.annotation) is tuple and path[-1] == setting[-1]:
            # An empty list often means that everything is allowed.
            self.problems.append(f"{path_text(path)}: is empty, because {text.names} is; write [] if no entry is meant")
            return
        is_public = setting[-1] in _PUBLIC_CREDENTIALS and isinstance(setting[-2] if len(setting) > 1 else None, int)
        if not text.strip() and (is_public or _may_be_secret(field)):
            self.problems.append(f"{path_text(path)}: is empty, because {text.names} is; a credential may not be empty")
        elif text.empty and _may_be_secret(field):
            names = " and ".join(text.empty)
            self.problems.append(
                f"{path_text(path)}: has an empty part, because the variable {names} is empty; set it, or write "
                f"${{{text.empty[0]}:-}} if nothing is meant"
            )


def _texts(value: Any) -> list[tuple[Location, Interpolated]]:
    """The texts with variables in a value, a list or an object, with their places in it."""
    if isinstance(value, Interpolated):
        return [((), value)]
    items: list[tuple[str | int, Any]] = []
    if isinstance(value, Mapping):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [((place,), item) for place, item in items if isinstance(item, Interpolated)]


def _may_be_secret(field: FieldInfo) -> bool:
    return not field.repr or any(isinstance(mark, Address) for mark in field.metadata)


def _shaped(text: Interpolated, field: FieldInfo) -> Any:
    shaped = shape(field, text)
    if get_origin(field.annotation) is tuple:
        return [Interpolated(item, text.variables) for item in shaped]
    return shaped
