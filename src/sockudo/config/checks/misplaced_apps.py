"""Finds apps at places of a file where the server does not read apps."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from sockudo.config.kinds.section import Section, key_of, section_of
from sockudo.config.problems import Location, path_text

_NAMES: Final = frozenset({"app", "apps", "application", "applications", "defaultapp"})
_IDENTITY: Final = ({"id", "appid"}, {"key", "appkey"}, {"secret", "appsecret"})


def misplaced_apps(document: Mapping[str, Any], model: type[Section]) -> dict[Location, str]:
    """Word a problem for each place below an unknown key where the document describes apps."""
    places = dict.fromkeys(place for path, value in _unknown(document, model, ()) for place in _apps_in(path, value))
    return {place: f"{path_text(place)}: nothing reads apps here; {_advice(document)}" for place in places}


def not_about(problems: Sequence[tuple[Location, str]], misplaced: Collection[Location]) -> list[tuple[Location, str]]:
    """Return the problems with keys that hold no misplaced apps and stand in none: one problem is told once."""
    return [one for one in problems if not any(_is_within(place, one[0]) for place in misplaced)]


def _is_within(place: Location, other: Location) -> bool:
    """Whether one of two places holds the other."""
    return place[: len(other)] == other or other[: len(place)] == place


def _advice(document: Mapping[str, Any]) -> str:
    own = "list them in app_manager.array.apps"
    apps = document.get("apps")
    if any(str(key).startswith("appManager") for key in document):
        return f"{own}, or let `sockudo import-config soketi FILE` convert a file of soketi"
    if "reverb" in document or (isinstance(apps, Mapping) and {"apps", "provider"} & apps.keys()):
        return f"{own}, or let `sockudo import-config reverb FILE` convert a file of Laravel Reverb"
    return own


def _unknown(section: Mapping[str, Any], model: type[Section], path: Location) -> Iterator[tuple[Location, Any]]:
    """Yield what a section has beside its settings: as a whole if that is an app, else each key."""
    fields = {key_of(name, field): field for name, field in model.model_fields.items()}
    strange = {key: value for key, value in section.items() if key not in fields}
    if _is_app(strange):
        yield path, strange
    else:
        yield from (((*path, key), value) for key, value in strange.items())
    for key, field in fields.items():
        inner, value = section_of(field), section.get(key)
        if inner is not None and isinstance(value, Mapping):
            yield from _unknown(value, inner, (*path, key))


def _apps_in(path: Location, value: Any) -> Iterator[Location]:
    """Yield the outermost places in a value that are apps, or lists of them."""
    waiting = [(path, value)]
    while waiting:
        here, inner = waiting.pop()
        if _is_app(inner) or (_is_named_apps(here) and _says_something(inner, here)):
            yield here
        elif isinstance(inner, Mapping):
            waiting += [((*here, key), item) for key, item in reversed(list(inner.items()))]
        elif isinstance(inner, list):
            waiting += [((*here, index), item) for index, item in reversed(list(enumerate(inner)))]


def _is_app(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    keys = {_plain(key) for key in value}
    return all(keys & names for names in _IDENTITY)


def _is_named_apps(path: Location) -> bool:
    """Whether the last key of a path is a name for apps; keys may be dotted, as in files of soketi."""
    last = path[-1] if path else ""
    return isinstance(last, str) and any(_plain(part) in _NAMES for part in last.split("."))


def _says_something(value: Any, path: Location) -> bool:
    """Whether a value with such a name describes anything. A plain value does below a dotted key only."""
    if isinstance(value, (Mapping, list)):
        return bool(value)
    return "." in str(path[-1]) and value not in (None, "")


def _plain(key: str) -> str:
    return key.lower().replace("_", "").replace("-", "")
