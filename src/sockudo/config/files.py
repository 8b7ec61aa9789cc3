"""Find the configuration file and read it: JSON or TOML into plain dictionaries and lists."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

from sockudo.config.problems import path_text
from sockudo.errors import ConfigError

DEFAULT_FILES: Final = ("config/config.json", "config/config.toml")
LOCATION_VARIABLE: Final = "CONFIG_FILE"


def find_file(chosen: Path | None, environ: Mapping[str, str], cwd: Path) -> Path | None:
    """The file to read: the chosen one, else the one the environment names, else a default one that exists."""
    named = environ.get(LOCATION_VARIABLE, "").strip()
    if chosen is not None or named:
        return cwd / (chosen or named)
    return next((cwd / name for name in DEFAULT_FILES if (cwd / name).is_file()), None)


def read_file(path: Path) -> dict[str, Any]:
    """Read a configuration file, or raise ConfigError with the place of what is wrong."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror or error}"]) from error
    except ValueError as error:
        raise ConfigError([f"{path}: is not UTF-8 text"]) from error
    try:
        document = _parse(path, text)
        problems = [f"{path}: {place} is given twice" for place in _duplicates(document)]
    except RecursionError as error:
        raise ConfigError([f"{path}: is nested too deeply"]) from error
    if not isinstance(document, dict):
        raise ConfigError([f"{path}: expected an object with settings at the top level"])
    if problems:
        raise ConfigError(problems)
    return document


class _JsonObject(dict[str, Any]):
    """A JSON object that remembers which keys were given more than once."""

    repeated: tuple[str, ...] = ()


def _object(pairs: list[tuple[str, Any]]) -> _JsonObject:
    found = _JsonObject(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        found.repeated = tuple(name for name in found if names.count(name) > 1)
    return found


def _duplicates(document: Any) -> list[str]:
    """The places of repeated keys. The last value would win silently, and the reader would not know which that is."""
    found: list[str] = []
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), document)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, _JsonObject):
            found += [path_text((*path, name)) for name in value.repeated]
        if isinstance(value, dict):
            waiting += [((*path, name), inner) for name, inner in value.items()]
        elif isinstance(value, list):
            waiting += [((*path, index), inner) for index, inner in enumerate(value)]
    return sorted(found)


def _parse(path: Path, text: str) -> Any:
    if path.suffix.lower() == ".json":
        return _parse_json(path, text)
    if path.suffix.lower() == ".toml":
        return _parse_toml(path, text)
    try:
        return _parse_json(path, text)
    except ConfigError as json_error:
        try:
            return _parse_toml(path, text)
        except ConfigError as toml_error:
            raise ConfigError(json_error.problems + toml_error.problems) from None


def _parse_json(path: Path, text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ConfigError([f"{path}: is not valid JSON: {error.msg} ({place})"]) from error
    except ValueError as error:
        raise ConfigError([f"{path}: is not valid JSON: {error}"]) from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _parse_toml(path: Path, text: str) -> Any:
    try:
        return tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError, and numbers or dates that Python cannot hold
        raise ConfigError([f"{path}: is not valid TOML: {error}"]) from error
