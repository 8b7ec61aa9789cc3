"""Checks the record of an app in a database, in the same way as an app in a file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from sockudo.config.environment import shape
from sockudo.config.problems import describe
from sockudo.config.sections.app import AppSettings
from sockudo.errors import ConfigError


def app_from_record(record: Mapping[str, Any]) -> AppSettings:
    """Return the app in a record; what is null there has its default.

    Raises:
        ConfigError: it is none; has every problem, and no secret.
    """
    properties = {name: value for name, value in record.items() if value is not None}
    try:
        return AppSettings.model_validate(properties)
    except ValidationError as error:
        raise ConfigError(describe(error.errors(include_url=False), properties, lambda _: None)) from None


def record_from_app(app: AppSettings) -> dict[str, Any]:
    """Return an app as a record: what is empty is null, so that it is the same for everybody who reads it."""
    record: dict[str, Any] = app.model_dump(mode="json", exclude={"webhooks"})
    record["allowed_origins"] = record["allowed_origins"] or None
    record["webhooks"] = [_webhook(one.model_dump(mode="json", by_alias=True)) for one in app.webhooks] or None
    return record


def read_changes(changes: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return properties that are given as text, as a file would have them; nothing, or null, is null.

    Raises:
        ConfigError: an app has no such property, or a text is not the JSON that it should be.
    """
    problems: list[str] = []
    found: dict[str, Any] = {}
    for name, text in changes:
        field = AppSettings.model_fields.get(name)
        if field is None:
            problems.append(f"{name}: an app has no such property; use one of {', '.join(AppSettings.model_fields)}")
        elif text.strip() in ("", "null"):
            found[name] = None
        elif text.lstrip().startswith(("[", "{")) and name in ("webhooks", "allowed_origins"):
            try:
                found[name] = json.loads(text)
            except (ValueError, RecursionError):
                problems.append(f"{name}: expected JSON")
        else:
            found[name] = shape(field, text)
    if problems:
        raise ConfigError(problems)
    return found


def _webhook(properties: dict[str, Any]) -> dict[str, Any]:
    """Leave out what says nothing."""
    return {name: _webhook(value) if isinstance(value, dict) else value for name, value in properties.items() if value}
