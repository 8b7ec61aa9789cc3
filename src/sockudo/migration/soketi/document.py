"""Converts a configuration of soketi 1.6, from its JSON file or its variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sockudo.migration.conversions import entries, listed, text, texts
from sockudo.migration.draft import Draft
from sockudo.migration.nesting import leaves, nested
from sockudo.migration.soketi.apps import convert_app
from sockudo.migration.soketi.names import DEFAULTS, DRIVER_DEFAULTS, EQUAL, NO_EQUAL, SPECIAL
from sockudo.migration.soketi.parts import convert_parts
from sockudo.migration.soketi.variables import DOCUMENTED_ONLY, PREFIX, VARIABLES

_WHOLE: Final = frozenset({*EQUAL, *NO_EQUAL, *SPECIAL})
_COLUMNS: Final = "columns of its table have other names here, such as max_read_requests_per_second; docs/migrating.md"
_ATTRIBUTES: Final = "attributes of its table have other names here: id is not AppId; docs/migrating.md"
_CLUSTER: Final = "has no equal: machines meet at a broker here, and processes of one machine are `workers`"

# Setting of soketi -> the names of its drivers, each with ours and a remark.
_DRIVERS: Final[dict[str, tuple[str, dict[str, tuple[str | None, str]]]]] = {
    "adapter.driver": (
        "adapter.driver",
        {"local": ("local", ""), "redis": ("redis", ""), "nats": ("nats", ""), "cluster": (None, _CLUSTER)},
    ),
    "appManager.driver": (
        "app_manager.driver",
        {
            "array": ("memory", ""),
            "mysql": ("mysql", _COLUMNS),
            "postgres": ("pgsql", _COLUMNS),
            "dynamodb": ("dynamodb", _ATTRIBUTES),
        },
    ),
    "cache.driver": ("cache.driver", {"memory": ("memory", ""), "redis": ("redis", "")}),
    "queue.driver": ("queue.driver", {"sync": ("memory", ""), "redis": ("redis", ""), "sqs": ("sqs", "")}),
}


def from_variables(variables: Mapping[str, str]) -> Draft:
    """Convert what an environment or an `.env` file says; what is not soketi's in it is not looked at."""
    document: dict[str, Any] = {}
    strangers = Draft()
    for name, value in variables.items():
        short = name.removeprefix(PREFIX)
        if not name.startswith(PREFIX) or not value:
            continue
        if short in VARIABLES:
            document[VARIABLES[short]] = value
        elif short in DOCUMENTED_ONLY:
            strangers.remark(name, f"has no effect in soketi 1.6; the setting is {DOCUMENTED_ONLY[short]} of its file")
        else:
            strangers.remark(name, "is no variable of soketi 1.6")
    draft = from_document(document)
    draft.rename({path: f"{PREFIX}{short}" for short, path in VARIABLES.items()})
    draft.remarks += strangers.remarks
    return draft


def from_document(document: Mapping[str, Any]) -> Draft:
    """Convert the content of a configuration file; keys may be nested, or dotted as in soketi's documentation."""
    draft = Draft()
    given = {key: value for key, value in leaves(nested(document), _WHOLE).items() if _is_set(key, value)}
    _convert_drivers(given, draft)
    for key, value in _with_defaults(given).items():
        _convert(key, value, draft)
    convert_parts(given, draft)
    _convert_apps(given, draft)
    return draft


def _is_set(key: str, value: Any) -> bool:
    """Whether a setting has a value: an empty one has a meaning only as an object for TLS and as a list of origins."""
    return value not in (None, "", [], {}) or (key, value) in (("database.redis.tls", {}), ("cors.origin", []))


def _convert(key: str, value: Any, draft: Draft) -> None:
    if key in SPECIAL:
        return
    if key in NO_EQUAL:
        draft.remark(key, f"has no equal: {NO_EQUAL[key]}")
    elif key not in EQUAL:
        draft.remark(key, "is no setting of soketi 1.6")
    elif key == "appManager.cache.ttl" and str(value).startswith("-"):
        draft.remark(key, "apps are not cached for ever here; the default of app_manager.cache.ttl holds")
    elif EQUAL[key].convert is texts:
        _convert_list(key, value, draft)
    else:
        draft.convert(key, value, EQUAL[key].path, EQUAL[key].convert)


def _convert_list(key: str, value: Any, draft: Draft) -> None:
    """Convert a list entry by entry. Where none is left, an empty one is written: it allows nothing more."""
    found = draft.read_each(key, draft.read(key, value, entries, []), text)
    draft.put(EQUAL[key].path, found)


def _with_defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    defaults = DEFAULTS | DRIVER_DEFAULTS.get(str(given.get("appManager.driver")), {})
    return {**{key: value for key, value in defaults.items() if key not in given}, **given}


def _convert_drivers(given: Mapping[str, Any], draft: Draft) -> None:
    for key, (path, names) in _DRIVERS.items():
        if key not in given:
            continue
        ours, remark = names.get(str(given[key]), (None, "is no driver of soketi 1.6"))
        if ours is not None:
            draft.put(path, ours)
        if remark:
            draft.remark(key, remark)


def _convert_apps(given: Mapping[str, Any], draft: Draft) -> None:
    key = "appManager.array.apps"
    if str(given.get("appManager.driver")) in DRIVER_DEFAULTS:
        return
    apps = draft.read(key, given.get(key), listed, [])
    if not apps and key not in given:
        draft.remark(key, "is not given, and everybody knows the secret of soketi's default app; no app is written")
    converted = [_app(app, f"{key}.{index}", draft) for index, app in enumerate(apps)]
    draft.put("app_manager.array.apps", [app for app in converted if app is not None])


def _app(app: Any, key: str, draft: Draft) -> dict[str, Any] | None:
    if not isinstance(app, Mapping):
        draft.remark(key, "is no object; the app is left out")
        return None
    return convert_app(app, key, draft)
