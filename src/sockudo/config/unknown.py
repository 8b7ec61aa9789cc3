"""Keys of a file that nothing reads, and those that are read under another name."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, get_args

from pydantic.fields import FieldInfo

from sockudo.config.problems import path_text
from sockudo.config.section import Section, env_of, key_of, other_key_of, section_of


class UnknownKeys:
    """Compares a document with the model and words a warning for each key that has no effect."""

    def __init__(self, model: type[Section]) -> None:
        self._model = model
        self._everywhere: dict[str, list[str]] = {}
        for path in setting_paths(model):
            self._everywhere.setdefault(path.rpartition(".")[2], []).append(path)

    def warnings(self, document: dict[str, Any]) -> list[str]:
        """Word the warnings, in the order of the document."""
        return list(self._compare(document, self._model, ()))

    def _compare(self, section: dict[str, Any], model: type[Section], path: tuple[str | int, ...]) -> Iterator[str]:
        fields = {key_of(name, field): field for name, field in model.model_fields.items()}
        for key, value in section.items():
            here = (*path, key)
            field = fields.get(key)
            if field is None:
                yield f"unknown key {path_text(here)} has no effect{self._hint(key, fields, path)}"
            elif is_environment_only(field):
                yield f"{path_text(here)} has no effect in a file: set {_variables(field)} in the environment"
            else:
                yield from self._inside(value, field, here)

    def _inside(self, value: Any, field: FieldInfo, path: tuple[str | int, ...]) -> Iterator[str]:
        inner = section_of(field) or item_section_of(field)
        if inner is None:
            return
        items = [(path, value)] if isinstance(value, dict) else []
        if isinstance(value, list):
            items = [((*path, index), item) for index, item in enumerate(value)]
        for place, item in items:
            if isinstance(item, dict):
                yield from self._compare(item, inner, place)

    def _hint(self, key: str, fields: dict[str, FieldInfo], path: tuple[str | int, ...]) -> str:
        elsewhere = self._everywhere.get(key, [])
        near = get_close_matches(key.lower(), fields, n=1, cutoff=0.5)
        # A name that exists in one other place is misplaced rather than misspelt.
        meant = [path_text((*path, near[0]))] if near and len(elsewhere) != 1 else elsewhere
        return f" (did you mean {' or '.join(meant)}?)" if 0 < len(meant) <= 3 else ""


def is_environment_only(field: FieldInfo) -> bool:
    """Whether a setting has no key in a file."""
    mark = env_of(field)
    return mark is not None and not mark.file


def rename_keys(document: dict[str, Any], model: type[Section]) -> None:
    """Give keys their own names where a document uses the other one. Where it has both, the other stays unknown."""
    for name, field in model.model_fields.items():
        key, other, inner = key_of(name, field), other_key_of(field), section_of(field)
        if other is not None and other in document and key not in document:
            document[key] = document.pop(other)
        if inner is not None and isinstance(document.get(key), dict):
            rename_keys(document[key], inner)


def without_environment_only(document: dict[str, Any], model: type[Section]) -> None:
    """Drop the keys of a document that only the environment may set."""
    for name, field in model.model_fields.items():
        key = key_of(name, field)
        inner = section_of(field)
        if is_environment_only(field):
            document.pop(key, None)
        elif inner is not None and isinstance(document.get(key), dict):
            without_environment_only(document[key], inner)


def item_section_of(field: FieldInfo) -> type[Section] | None:
    """The model of the entries of a list, or of a section that may be absent."""
    for part in get_args(field.annotation):
        if isinstance(part, type) and issubclass(part, Section):
            return part
    return None


def setting_paths(model: type[Section], path: str = "") -> Iterator[str]:
    """The full name of each setting outside of lists."""
    for name, field in model.model_fields.items():
        here = f"{path}.{key_of(name, field)}" if path else key_of(name, field)
        inner = section_of(field)
        if inner is None:
            yield here
        else:
            yield from setting_paths(inner, here)


def _variables(field: FieldInfo) -> str:
    mark = env_of(field)
    return " or ".join(mark.all_names) if mark is not None else ""
