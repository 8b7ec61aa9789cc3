"""Converts apps of Laravel Reverb; their limits that are settings of the whole server here must agree.

An app is never less restricted than it was: where a restriction cannot be read, the strictest one takes its place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from sockudo.migration.conversions import entries, flag, kibibytes, listed, members, number, positive, text
from sockudo.migration.draft import NO_ORIGIN, Draft, NoEqual

# What Reverb installs, for a value that cannot be read.
_MESSAGE_SIZE: Final = 10_000
_SENDERS: Final = ("all", "members", "none", "", None)
_OF_A_LIMIT: Final = ("enabled", "max_attempts", "decay_seconds", "terminate_on_limit")
_IDENTITY: Final = (("app_id", "id"), ("key", "key"), ("secret", "secret"))
_KNOWN: Final = frozenset(
    {
        "app_id",
        "key",
        "secret",
        "options",
        "allowed_origins",
        "ping_interval",
        "activity_timeout",
        "max_connections",
        "max_message_size",
        "accept_client_events_from",
        "rate_limiting",
    }
)


def convert_apps(section: Mapping[str, Any], draft: Draft) -> None:
    """Convert `apps`, with its provider."""
    if section.get("provider") not in (None, "", "config"):
        draft.remark(
            "apps.provider", "has no equal: apps come from this file, or from a database in app_manager.driver"
        )
    given = draft.read("apps.apps", section.get("apps"), listed, [])
    apps = {f"apps.apps.{index}": app for index, app in enumerate(given)}
    read = {key: app for key, app in apps.items() if _is_object(app, key, draft)}
    converted = [_app(app, key, draft) for key, app in read.items()]
    draft.put("app_manager.array.apps", [app for app in converted if app is not None])
    _convert_together(read, draft)


def _is_object(app: Any, key: str, draft: Draft) -> bool:
    if isinstance(app, Mapping):
        return True
    draft.remark(key, "is no object; the app is left out")
    return False


def _app(app: Mapping[str, Any], key: str, draft: Draft) -> dict[str, Any] | None:
    own = Draft()
    _identity(app, key, own)
    is_whole = len(own.document) == len(_IDENTITY)
    _connections(app, key, own)
    _client_events(app, key, own)
    _origins(app, key, own)
    _rate_limit(app, key, own)
    if own.read(f"{key}.options", app.get("options"), members, {}):
        own.remark(f"{key}.options", "has no equal: it tells Laravel where the server is, and stays there")
    if app.get("ping_interval") is not None:
        own.remark(f"{key}.ping_interval", "has no equal: a client that is silent for activity_timeout is pinged")
    for other in app:
        if other not in _KNOWN:
            own.remark(f"{key}.{other}", "is no setting of an app of Reverb")
    draft.remarks += own.remarks
    return own.document if is_whole else None


def _identity(app: Mapping[str, Any], key: str, own: Draft) -> None:
    for name, ours in _IDENTITY:
        value = app.get(name)
        try:
            if value in (None, ""):
                raise NoEqual("is not given")
            own.put(ours, text(value))
        except NoEqual as reason:
            own.remark(f"{key}.{name}", f"{reason}; the app is left out")


def _connections(app: Mapping[str, Any], key: str, own: Draft) -> None:
    try:
        if app.get("max_connections") not in (None, ""):
            # No connection at all in Reverb, where it would be no limit here.
            own.put("max_connections", positive(app["max_connections"]))
    except NoEqual as reason:
        own.put("enabled", False)
        own.remark(f"{key}.max_connections", f"{reason}; the app is disabled: set its max_connections, then enable it")


def _client_events(app: Mapping[str, Any], key: str, own: Draft) -> None:
    key = f"{key}.accept_client_events_from"
    # An app that says nothing accepts them, as before there was this setting.
    accepted = app.get("accept_client_events_from", "all")
    own.put("enable_client_messages", accepted in ("all", "members"))
    if accepted == "all" and "accept_client_events_from" in app:
        own.remark(key, "all means members here: a client that is not on a channel sends nothing to it")
    if accepted not in _SENDERS:
        own.remark(key, "is neither all, members nor none; client events are refused")


def _origins(app: Mapping[str, Any], key: str, own: Draft) -> None:
    misspelt = [name for name in app if name not in _KNOWN and "origin" in name.lower()]
    if "allowed_origins" not in app:
        if misspelt:
            own.put("allowed_origins", [NO_ORIGIN])
            own.remark(
                f"{key}.{misspelt[0]}", f"is not allowed_origins, which Reverb reads; {NO_ORIGIN} takes its place"
            )
        return
    key = f"{key}.allowed_origins"
    given = app["allowed_origins"]
    listed_ones = [] if given in ([], {}) else own.read(key, given, _several, [])
    origins = own.read_each(key, listed_ones, _origin)
    own.put("allowed_origins", origins or [NO_ORIGIN])
    if not origins:
        own.remark(
            key, f"allows no origin, so every browser is refused; here {NO_ORIGIN} does that, an origin nobody has"
        )
    elif "*" not in origins:
        own.remark(key, "is compared with the host alone; here a port, if there is one, belongs to it")


def _several(value: Any) -> list[Any]:
    """The entries of a list of origins; a text may have several, with commas between them."""
    if isinstance(value, str) and not value.lstrip().startswith("["):
        return value.split(",")
    return entries(value)


def _origin(value: Any) -> str:
    if not isinstance(value, str):
        raise NoEqual("is no text")
    origin = text(value).strip()
    if origin.count("*") > 1:
        raise NoEqual("has more than one *, and a pattern here has one")
    if "*" in origin and not origin.startswith("*") and "://" not in origin:
        raise NoEqual("has a * behind its beginning, where a pattern here has none")
    return origin


def _rate_limit(app: Mapping[str, Any], key: str, own: Draft) -> None:
    key = f"{key}.rate_limiting"
    # A value that is neither an object nor empty asks for a limit, and does not say for which.
    limit = _strictly(own, key, app.get("rate_limiting"), members, {"enabled": True, "max_attempts": 1})
    for name in limit:
        if name not in _OF_A_LIMIT:
            own.remark(f"{key}.{name}", "is no setting of a limit of Reverb")
    if not _strictly(own, f"{key}.enabled", limit.get("enabled"), flag, True):
        return
    attempts = _strictly(own, f"{key}.max_attempts", limit.get("max_attempts") or 60, positive, 1)
    window = _strictly(own, f"{key}.decay_seconds", limit.get("decay_seconds") or 1, positive, attempts)
    own.put("max_client_events_per_second", max(1, math.ceil(attempts / window)))
    own.remark(key, "counts every message of a connection; here client events are counted, by the second")
    if own.read(f"{key}.terminate_on_limit", limit.get("terminate_on_limit"), flag, False):
        own.remark(
            f"{key}.terminate_on_limit", "has no equal: an event above the limit is refused, and the connection stays"
        )


def _strictly(own: Draft, key: str, value: Any, conversion: Callable[[Any], Any], strictest: Any) -> Any:
    """Read a part of a limit; where that cannot be done, the strictest value takes its place."""
    try:
        return conversion(value)
    except NoEqual as reason:
        own.remark(key, f"{reason}; the strictest limit takes its place")
        return strictest


def _convert_together(apps: Mapping[str, Mapping[str, Any]], draft: Draft) -> None:
    """Convert what every app has for itself in Reverb."""
    timeouts = _numbers(apps, "activity_timeout", draft)
    if timeouts:
        draft.put("activity_timeout", min(timeouts))
    if len(set(timeouts)) > 1:
        draft.remark("apps.apps.*.activity_timeout", "is the same for all apps here; the shortest is taken")
    sizes = _numbers(apps, "max_message_size", draft, default=_MESSAGE_SIZE)
    if sizes:
        draft.put("websocket_max_payload_kb", kibibytes(max(sizes)))
    if len(set(sizes)) > 1:
        draft.remark("apps.apps.*.max_message_size", "is the same for all apps here; the largest is taken")


def _numbers(apps: Mapping[str, Mapping[str, Any]], name: str, draft: Draft, default: int | None = None) -> list[int]:
    """The numbers above zero that the apps have; the default stands for those that cannot be read."""
    found = []
    for key, app in apps.items():
        value = app.get(name)
        if value in (None, ""):
            continue
        try:
            found.append(positive(number(value)))
        except NoEqual as reason:
            draft.remark(f"{key}.{name}", f"{reason}" + (f"; {default} takes its place" if default else ""))
            if default is not None:
                found.append(default)
    return found
