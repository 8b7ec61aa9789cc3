"""Replaces variables in the texts of a file: `${NAME}`, and `${NAME:-default}` with a default.

They are put in once, after the file is parsed: what a variable holds is not looked at again, and it cannot change what
the file says around it. Keys stay as they are. `$${` is a plain `${`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from sockudo.config.problems import Interpolated, Location, path_text
from sockudo.errors import ConfigError

_MARK: Final = re.compile(r"\$\$\{|\$\{(?P<inside>[^{}]*)\}|\$\{")
_INSIDE: Final = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?", re.ASCII | re.DOTALL)
_FORMS: Final = "write ${NAME} or ${NAME:-default}, and $${ for a plain ${"


def interpolate(document: dict[str, Any], environ: Mapping[str, str]) -> None:
    """Put variables into the texts of a document, in place.

    Raises:
        ConfigError: variables are missing, or marks are malformed; has all of them, and no text of the file.
    """
    problems: list[str] = []
    # Objects and lists, which are both written to by key or index.
    waiting: list[tuple[Location, Any]] = [((), document)]
    while waiting:
        path, container = waiting.pop()
        places = container.items() if isinstance(container, dict) else enumerate(container)
        for key, value in list(places):
            here: Location = (*path, key)
            if isinstance(value, dict | list):
                waiting.append((here, value))
            elif isinstance(value, str) and "${" in value:
                text = _Text(value, environ)
                problems += [f"{path_text(here)}: {problem}" for problem in text.problems]
                container[key] = text.result
    if problems:
        raise ConfigError(sorted(problems))


def escaped(value: Any) -> Any:
    """Return a document whose texts stay as they are when a file with it is read."""
    if isinstance(value, dict):
        return {key: escaped(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [escaped(inner) for inner in value]
    return value.replace("${", "$${") if isinstance(value, str) else value


class _Text:
    """One text: what comes of it, and what is wrong with it."""

    def __init__(self, text: str, environ: Mapping[str, str]) -> None:
        self.problems: list[str] = []
        self._environ = environ
        self._variables: dict[str, None] = {}
        self._empty: dict[str, None] = {}
        put_in = _MARK.sub(self._put_in, text)
        self.result = Interpolated(put_in, tuple(self._variables), tuple(self._empty)) if self._variables else put_in

    def _put_in(self, mark: re.Match[str]) -> str:
        if mark[0] == "$${":
            return "${"
        inside = None if mark["inside"] is None else _INSIDE.fullmatch(mark["inside"])
        if inside is None:
            # The rest is not quoted: it may be a secret.
            self.problems.append(f"has a ${{ that is no variable: {_FORMS}")
            return ""
        return self._value(inside["name"], inside["default"])

    def _value(self, name: str, default: str | None) -> str:
        self._variables[name] = None
        value = self._environ.get(name, "").strip()
        if default is not None:
            return value or default
        if name not in self._environ:
            self.problems.append(f"the variable {name} is not set; set it, or write ${{{name}:-default}}")
        elif not value:
            self._empty[name] = None
        return value
