"""Loads the settings: command line over environment over file over defaults.

Everything is merged as plain values first and validated once, so that one start reports every problem of every source.
For each value that did not come from the file, the variable or option that set it is remembered and named in problems.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sockudo.config.app_variables import AppVariables, app_variables
from sockudo.config.checks.misplaced_apps import misplaced_apps, not_about
from sockudo.config.checks.misspelt_variables import misspelt_variables
from sockudo.config.checks.unknown import UnknownKeys, rename_keys, setting_paths, without_environment_only
from sockudo.config.checks.unread_variables import unread_variables
from sockudo.config.checks.unused import drop, is_unused, unused_sections
from sockudo.config.environment import mentioned_variables, read_environment, variables_of
from sockudo.config.files import find_file, read_file
from sockudo.config.interpolated import shape_interpolated
from sockudo.config.interpolation import interpolate
from sockudo.config.model import Settings
from sockudo.config.problems import Location, describe
from sockudo.config.sections.app_manager import listed_apps
from sockudo.config.sections.app_policy import override
from sockudo.config.sections.default_app import DefaultAppSettings
from sockudo.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, what is odd about them, and where they come from."""

    settings: Settings
    warnings: list[str] = field(default_factory=list)
    config_file: Path | None = None
    # Path of a setting -> the variable or option that set it; what is not here came from the file or is a default.
    sources: dict[str, str] = field(default_factory=dict)
    # Path of a setting of the file -> the variables that the file puts into it.
    variables: dict[str, tuple[str, ...]] = field(default_factory=dict)


def load(config_file: Path | None, environ: Mapping[str, str], flags: Mapping[str, object], cwd: Path) -> Loaded:
    """Read the settings from every source, or raise ConfigError with every problem.

    `flags` maps the path of a setting to its value; None means that the option was not given.
    """
    path = find_file(config_file, environ, cwd)
    document = read_file(path) if path is not None else {}
    mentioned = mentioned_variables(document)
    interpolate(document, environ)
    return _load_document(document, path, environ, flags, mentioned)


def problems_of(document: dict[str, Any]) -> list[str]:
    """Say what a file with this content would be refused for, without any other source of settings."""
    try:
        _load_document(deepcopy(document), None, {}, {})
    except ConfigError as error:
        return error.problems
    return []


def _load_document(
    document: dict[str, Any],
    path: Path | None,
    environ: Mapping[str, str],
    flags: Mapping[str, object],
    mentioned: Collection[str] = (),
) -> Loaded:
    _move_cluster_health(document)
    rename_keys(document, Settings)
    variables = shape_interpolated(document, Settings)
    unknown = UnknownKeys(Settings, document)
    warnings = unknown.warnings
    misplaced = misplaced_apps(document, Settings)
    merged = _Merged(document, not_about(unknown.problems, misplaced), list(misplaced.values()))
    without_environment_only(document, Settings)
    for reading in read_environment(Settings, environ):
        merged.put(reading.path, reading.value, reading.variable)
    known = [*variables_of(Settings), *variables_of(DefaultAppSettings)]
    unread = unread_variables(environ, known, mentioned)
    app = app_variables(environ, unread, mentioned)
    merged.add_app(app)
    merged.refuse(one.problem for one in unread if one.restricts)
    for name, value in flags.items():
        if value is not None:
            merged.put(tuple(name.split(".")), value, f"--{name.rpartition('.')[2].replace('_', '-')}")
    settings = merged.validate()
    warnings += merged.warnings + [one.warning for one in unread if one.is_set]
    warnings += app.open_origins(settings.configured_apps)
    warnings += misspelt_variables(environ, known, setting_paths(Settings), mentioned)
    if settings.app_manager.driver == "memory" and not settings.apps:
        if path is None and app.is_silent:
            settings = settings.with_demo_app()
        warnings += app.advice()
    return Loaded(settings, warnings + settings.advice(), path, merged.sources(), variables)


def _move_cluster_health(document: dict[str, Any]) -> None:
    """Take a top-level `cluster_health` for the adapter's, which has the last word."""
    section = document.get("cluster_health")
    adapter = document.setdefault("adapter", {})
    if isinstance(section, dict) and isinstance(adapter, dict):
        own = adapter.setdefault("cluster_health", {})
        if isinstance(own, dict):
            adapter["cluster_health"] = section | own
            del document["cluster_health"]


class _Merged:
    """The document with the values of other sources laid over it."""

    def __init__(self, document: dict[str, Any], unknown: list[tuple[Location, str]], problems: list[str]) -> None:
        self.warnings: list[str] = []
        self._document = document
        self._setters: dict[Location, str] = {}
        self._problems = problems
        self._unknown = unknown

    def refuse(self, problems: Iterable[str]) -> None:
        """Add what is wrong beside the values of settings."""
        self._problems += problems

    def put(self, path: tuple[str, ...], value: Any, setter: str) -> None:
        """Set one value. A section that is not an object is left as it is: validation reports it."""
        section: Any = self._document
        for name in path[:-1]:
            section = section.setdefault(name, {}) if isinstance(section, dict) else None
        if isinstance(section, dict):
            section[path[-1]] = value
            self._setters[path] = setter

    def add_app(self, variables: AppVariables) -> None:
        """Add the app that the environment describes, or lay what it says over the app of the file with its id."""
        values = {reading.path[0]: reading.value for reading in variables.readings}
        setters: dict[Location, str] = {reading.path: reading.variable for reading in variables.readings}
        try:
            app = DefaultAppSettings.model_validate(values)
        except ValidationError as error:
            self._problems += describe(error.errors(include_url=False), values, lambda place: setters.get(place[:1]))
            return
        listed = listed_apps(self._document.get("app_manager"))
        self.refuse(variables.problems(is_only_source=not listed and self._keeps_apps_in_memory))
        same = [one for one in listed if app.id and isinstance(one[2], dict) and one[2].get("id") == app.id]
        if same:
            path, index, entry = same[0]
            del values["id"], setters[("id",)]
            override(entry, values)
            self._set_by(("app_manager", *path, index), setters)
        elif app.enabled and not variables.missing:
            apps = self._app_list()
            if apps is not None:
                self._set_by(("app_manager", "array", "apps", len(apps)), setters)
                apps.append(app.model_dump())

    def _set_by(self, place: Location, setters: Mapping[Location, str]) -> None:
        self._setters.update({(*place, *path): setter for path, setter in setters.items()})

    @property
    def _keeps_apps_in_memory(self) -> bool:
        section = self._document.get("app_manager")
        driver = section.get("driver") if isinstance(section, dict) else None
        return driver is None or str(driver).lower() == "memory"

    def _app_list(self) -> list[Any] | None:
        section: Any = self._document
        for name in ("app_manager", "array"):
            section = section.setdefault(name, {}) if isinstance(section, dict) else None
        if not isinstance(section, dict):
            return None
        if section.get("apps") is None:
            section["apps"] = []
        apps = section["apps"]
        return apps if isinstance(apps, list) else None

    def validate(self) -> Settings:
        """Check everything, or raise ConfigError with every problem. What nothing uses is a warning."""
        unused = unused_sections(self._document)
        for place, sentence in self._unknown:
            (self.warnings if is_unused(place, unused) else self._problems).append(sentence)
        while True:
            try:
                settings = Settings.model_validate(self._document)
                break
            except ValidationError as error:
                # The cause is left out: it holds the values, and one of them may be a secret.
                self._handle(error.errors(include_url=False), unused)
        if self._problems:
            raise ConfigError(self._problems)
        return settings

    def _handle(self, errors: list[ErrorDetails], unused: tuple[Location, ...]) -> None:
        """Take what nothing uses out of the document, or raise ConfigError where something else is wrong."""
        used = [error for error in errors if not is_unused(error["loc"], unused)]
        # One variable may set several places, and is told about once.
        told = {self._setter(error["loc"]) or error["loc"]: error for error in reversed(errors)}
        lines = describe(list(reversed(told.values())), self._document, self._setter)
        dropped = [] if used else [drop(self._document, error["loc"]) for error in errors]
        if not any(dropped):
            raise ConfigError(describe(used or errors, self._document, self._setter) + self._problems) from None
        self.warnings += [f"{line}; nothing uses it" for line in lines]
        for error in errors:
            self._setters.pop(error["loc"], None)

    def _setter(self, location: Location) -> str | None:
        """What set the value at a place, or the list around it."""
        return next(
            (self._setters[location[:n]] for n in range(len(location), 0, -1) if location[:n] in self._setters), None
        )

    def sources(self) -> dict[str, str]:
        """Who set what, with the paths as text."""
        return {".".join(str(part) for part in path): setter for path, setter in self._setters.items()}
