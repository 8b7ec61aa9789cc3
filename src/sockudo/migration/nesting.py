"""Converts documents between nested objects and dotted names."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any


def nested(document: Mapping[str, Any]) -> dict[str, Any]:
    """Take dotted keys at the top apart: `{"a.b": 1}` is `{"a": {"b": 1}}`, and numbers count entries of lists."""
    tree: dict[str, Any] = {}
    for key, value in document.items():
        *parents, last = key.split(".")
        section = tree
        for name in parents:
            section = _section(section, name)
        section[last] = value
    return tree


def leaves(tree: Mapping[str, Any], whole: Container[str]) -> dict[str, Any]:
    """The values of a tree by their dotted names; objects whose name is in `whole` are values too."""
    found: dict[str, Any] = {}
    waiting = [(str(key), value) for key, value in reversed(list(tree.items()))]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, Mapping) and path not in whole:
            waiting += [(f"{path}.{key}", inner) for key, inner in reversed(list(value.items()))]
        else:
            found[path] = as_list(value) if path in whole else value
    return found


def as_list(value: Any) -> Any:
    """An object whose keys count from nothing as the list that it stands for; other values are themselves."""
    if not isinstance(value, Mapping) or not value or not all(str(key).isdecimal() for key in value):
        return value
    return [value[key] for key in sorted(value, key=int)]


def _section(parent: dict[str, Any], name: str) -> dict[str, Any]:
    """The object below a name; a list becomes one, so that its entries can be named, and other values give way."""
    found = parent.get(name)
    if isinstance(found, list):
        found = {str(index): entry for index, entry in enumerate(found)}
    if not isinstance(found, dict):
        found = {}
    parent[name] = found
    return found
