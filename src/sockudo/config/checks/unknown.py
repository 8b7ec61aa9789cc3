"""Finds keys of a file that no setting reads, and old names of settings."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import Any, Final, get_args

from pydantic.fields import FieldInfo

from sockudo.config.checks.restrictions import nearest, refusal, restricts, says_any, secures
from sockudo.config.kinds.section import Section, env_of, key_of, other_key_of, section_of
from sockudo.config.problems import Location, path_text
from sockudo.config.sections.app import AppSettings
from sockudo.config.sections.app_policy import Unfolded, unfold, unread_warnings

# A name in more places than this says nothing about what was meant.
_FEW: Final = 3
# How near a key must be to a setting of another place to be taken for it.
_SAME: Final = 0.9
_DRIVERS: Final = ("adapter.", "cache.", "database.", "queue.")
# Sections whose keys all restrict something, and what newer files of the original have in them that restricts nothing.
_LIMITING: Final = (
    ("channel_limits",),
    ("event_limits",),
    ("presence",),
    ("rate_limiter",),
    ("http_api", "accept_traffic"),
)
_NOT_LIMITING: Final = (("rate_limiter", "redis"),)
_HARMLESS: Final = frozenset(
    ("ungraceful_timeout_seconds", "update_rate_limit_per_member_per_second", "v2_ungraceful_timeout_seconds")
)
# Words that say which addresses webhooks may go to.
_REACHING: Final = frozenset(("allow", "block", "deny", "forbid", "internal", "loopback", "private", "public"))
_LISTENING: Final = frozenset(("bind", "bind_address", "listen", "listen_address"))


class UnknownKeys:
    """Compares a document with the model, and words a warning or a problem for each key that has no effect.

    Attributes:
        warnings: in the order of the document.
        problems: keys that would have restricted something, with their places. Those of apps are found where apps are
            checked.
    """

    def __init__(self, model: type[Section], document: dict[str, Any]) -> None:
        self.problems: list[tuple[Location, str]] = []
        self._everywhere: dict[str, list[str]] = {}
        for path in setting_paths(model):
            self._everywhere.setdefault(path.rpartition(".")[2], []).append(path)
        # What one driver calls its own says nothing about other sections.
        self._meant = {
            name
            for name, places in self._everywhere.items()
            if restricts(name) and len(places) <= _FEW and not all(place.startswith(_DRIVERS) for place in places)
        } | {name for name in AppSettings.model_fields if restricts(name)}
        self.warnings: list[str] = list(self._compare(document, model, ()))

    def _compare(self, section: dict[str, Any], model: type[Section], path: tuple[str | int, ...]) -> Iterator[str]:
        fields = {key_of(name, field): field for name, field in model.model_fields.items()}
        app = unfold(section) if issubclass(model, AppSettings) else Unfolded(section)
        yield from unread_warnings(app, path)
        for key, value in app.values.items():
            here = (*path, *app.places.get(key, (key,)))
            field = fields.get(key)
            if field is None and self._restricts(key, value, fields, path):
                self.problems.append((here, f"{path_text(here)}: {refusal(key, fields)}{self._misplaced(key)}"))
            elif field is None:
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

    def _restricts(self, key: str, value: Any, fields: dict[str, FieldInfo], path: tuple[str | int, ...]) -> bool:
        """Whether an unknown key outside of apps is a slip of a setting that restricts, or stands in a wrong place."""
        if value is None or value == {} or any(isinstance(part, int) for part in path):
            return False
        if secures(key) and value is not False:
            return True
        if _is_in_limits(key, path) or (not path and key in _LISTENING):
            return True
        if path[:1] == ("webhooks",) and says_any(key, _REACHING):
            return True
        near = nearest(key, fields)
        if near is not None and _has_restrictions(near, fields[near]):
            return True
        return nearest(key, self._meant, _SAME) is not None

    def _misplaced(self, key: str) -> str:
        places = self._everywhere.get(key, [])
        return f" (it is a key of {' or '.join(places)})" if 0 < len(places) <= _FEW else ""

    def _hint(self, key: str, fields: dict[str, FieldInfo], path: tuple[str | int, ...]) -> str:
        elsewhere = self._everywhere.get(key, [])
        near = get_close_matches(key.lower(), fields, n=1, cutoff=0.5)
        # A name that exists in one other place is misplaced rather than misspelt.
        meant = [path_text((*path, near[0]))] if near and len(elsewhere) != 1 else elsewhere
        return f" (did you mean {' or '.join(meant)}?)" if 0 < len(meant) <= _FEW else ""


def _is_in_limits(key: str, path: tuple[str | int, ...]) -> bool:
    if key in _HARMLESS or key.startswith(("_", "$", "//")):
        return False
    return _is_below(path, _LIMITING) and not _is_below(path, _NOT_LIMITING)


def _is_below(path: tuple[str | int, ...], sections: Collection[tuple[str, ...]]) -> bool:
    return any(path[: len(section)] == section for section in sections)


def _has_restrictions(name: str, field: FieldInfo) -> bool:
    """Whether a setting restricts something, or a section has one that does."""
    inner = section_of(field) or item_section_of(field)
    if inner is None:
        return restricts(name)
    return any(_has_restrictions(key, one) for key, one in inner.model_fields.items())


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
