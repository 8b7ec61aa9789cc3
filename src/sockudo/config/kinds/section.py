"""The base model of every section of the settings, and the marker for environment variables.

A new section is a new model on `Section`, with one line for each setting: its type (see `values.py`), its `Env` names,
its default and its description. Loading, error texts, unknown keys and the reference page follow from that declaration.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo


class Section(BaseModel):
    """An immutable group of settings; keys it does not know are reported by the loader, not here."""

    # Inputs stay out of pydantic's own error texts, because the input of an app holds its secret.
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True, populate_by_name=True)


@dataclass(frozen=True, slots=True)
class Env:
    """The environment variables that set a field: the first of `names` that is set wins.

    `switch_on` names a boolean variable that can only turn the setting on. With `file=False` the setting has no key
    in a configuration file.
    """

    names: tuple[str, ...]
    switch_on: str | None = None
    file: bool = True

    @property
    def all_names(self) -> tuple[str, ...]:
        """Every variable that may set the field."""
        return self.names if self.switch_on is None else (*self.names, self.switch_on)


def env(*names: str, switch_on: str | None = None, file: bool = True) -> Env:
    """Mark a field as set by environment variables."""
    return Env(names, switch_on, file)


@dataclass(frozen=True, slots=True)
class Also:
    """Another name for a key of a file. The key's own name wins where a file has both."""

    key: str


def also(key: str) -> Also:
    """Mark a field as having another name in files."""
    return Also(key)


def other_key_of(field: FieldInfo) -> str | None:
    """Find the other name of a field in files."""
    return next((mark.key for mark in field.metadata if isinstance(mark, Also)), None)


def env_of(field: FieldInfo) -> Env | None:
    """Find the environment marker of a field."""
    return next((mark for mark in field.metadata if isinstance(mark, Env)), None)


def key_of(name: str, field: FieldInfo) -> str:
    """Say how a field is called in a configuration file."""
    return field.alias or name


def section_of(field: FieldInfo) -> type[Section] | None:
    """The model of a field that is itself a group of settings."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None
