"""Apps of Laravel Reverb -> ours. What an app has there and the whole server here, the apps must agree on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from sockudo.migration.conversions import flag, kibibytes, members, number, objects, positive, text, texts, whole
from sockudo.migration.draft import Draft, NoEqual
from sockudo.migration.nesting import as_list

# Nobody is here: names below it do not exist (RFC 2606).
_NO_ORIGIN: Final = "https://origin.invalid"
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
    """Convert `apps`, with its provider.

    Raises:
        NoEqual: the section has no list of apps.
    """
    if section.get("provider") not in (None, "", "config"):
        draft.remark(
            "apps.provider", "has no equal: apps come from this file, or from a database in app_manager.driver"
        )
    apps = objects(as_list(section.get("apps")))
    draft.put("app_manager.array.apps", [_app(app, f"apps.apps.{index}", draft) for index, app in enumerate(apps)])
    _convert_together(apps, draft)


def _app(app: Mapping[str, Any], key: str, draft: Draft) -> dict[str, Any]:
    own = Draft()
    for name, ours in (("app_id", "id"), ("key", "key"), ("secret", "secret")):
        own.convert(f"{key}.{name}", app.get(name), ours, text)
        if app.get(name) in (None, ""):
            own.remark(f"{key}.{name}", f"is not given; write it as {ours}")
    own.convert(f"{key}.max_connections", app.get("max_connections"), "max_connections", whole)
    _client_events(app, key, own)
    _origins(app, key, own)
    _rate_limit(app, key, own)
    if members(app.get("options")):
        own.remark(f"{key}.options", "has no equal: it tells Laravel where the server is, and stays there")
    if app.get("ping_interval") is not None:
        own.remark(f"{key}.ping_interval", "has no equal: who is silent for activity_timeout is pinged")
    for other in app:
        if other not in _KNOWN:
            own.remark(f"{key}.{other}", "is no setting of an app of Reverb")
    draft.remarks += own.remarks
    return own.document


def _client_events(app: Mapping[str, Any], key: str, own: Draft) -> None:
    # An app that says nothing accepts them, as before there was this setting.
    accepted = app.get("accept_client_events_from", "all")
    own.put("enable_client_messages", accepted in ("all", "members"))
    if accepted == "all" and "accept_client_events_from" in app:
        own.remark(
            f"{key}.accept_client_events_from", "all means members here: who is not on a channel sends nothing to it"
        )


def _origins(app: Mapping[str, Any], key: str, own: Draft) -> None:
    given = app.get("allowed_origins")
    if given is None:
        return
    origins = texts(as_list(given) or [])
    own.put("allowed_origins", origins or [_NO_ORIGIN])
    if not origins:
        own.remark(f"{key}.allowed_origins", "is empty and refuses every browser; here that takes an origin nobody has")
    elif "*" not in origins:
        own.remark(
            f"{key}.allowed_origins", "is compared with the host alone; here a port, if there is one, belongs to it"
        )


def _rate_limit(app: Mapping[str, Any], key: str, own: Draft) -> None:
    limit, key = members(app.get("rate_limiting")), f"{key}.rate_limiting"
    try:
        if not flag(limit.get("enabled")):
            return
        attempts, window = positive(limit.get("max_attempts") or 60), positive(limit.get("decay_seconds") or 1)
        terminates = flag(limit.get("terminate_on_limit"))
    except NoEqual as reason:
        own.remark(key, str(reason))
        return
    own.put("max_client_events_per_second", max(1, math.ceil(attempts / window)))
    own.remark(key, "counts every message of a connection; here client events are counted, by the second")
    if terminates:
        own.remark(f"{key}.terminate_on_limit", "has no equal: what is too much is refused, and the connection stays")


def _convert_together(apps: list[dict[str, Any]], draft: Draft) -> None:
    """Convert what every app has for itself in Reverb."""
    timeouts = _numbers(apps, "activity_timeout")
    if timeouts:
        draft.convert("apps.apps.0.activity_timeout", min(timeouts), "activity_timeout", positive)
    if len(set(timeouts)) > 1:
        draft.remark("apps.apps.*.activity_timeout", "is the same for all apps here; the shortest is taken")
    sizes = _numbers(apps, "max_message_size")
    if sizes:
        draft.convert("apps.apps.0.max_message_size", max(sizes), "websocket_max_payload_kb", kibibytes)
    if len(set(sizes)) > 1:
        draft.remark("apps.apps.*.max_message_size", "is the same for all apps here; the largest is taken")


def _numbers(apps: list[dict[str, Any]], name: str) -> list[float]:
    found = []
    for app in apps:
        try:
            found.append(number(app.get(name)))
        except NoEqual:
            continue
    return found
