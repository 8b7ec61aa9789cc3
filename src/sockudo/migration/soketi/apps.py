"""Converts apps of soketi and their webhooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sockudo.migration.conversions import Conversion, entries, flag, listed, members, number, positive, text, whole
from sockudo.migration.draft import Draft, NoEqual

# What an app has where nothing is given. The default secret is left out, because everybody knows it.
DEFAULTS_OF_AN_APP: Final = {"id": "app-id", "key": "app-key"}
IDENTITY: Final = ("id", "key", "secret")

EVENT_TYPES: Final = frozenset(
    {"client_event", "channel_occupied", "channel_vacated", "member_added", "member_removed", "cache_miss"}
)

_FILTERS: Final = {"channel_name_starts_with": "channel_prefix", "channel_name_ends_with": "channel_suffix"}
_OF_A_WEBHOOK: Final = frozenset({"url", "lambda_function", "lambda", "event_types", "filter", "headers"})

# Ours -> the names of soketi for the same, of which the last that is given counts, and how it is converted.
FIELDS: Final[Mapping[str, tuple[tuple[str, ...], Conversion]]] = {
    "id": (("id", "AppId"), text),
    "key": (("key", "AppKey"), text),
    "secret": (("secret", "AppSecret"), text),
    "enabled": (("enabled", "Enabled"), flag),
    "max_connections": (("maxConnections", "MaxConnections", "max_connections"), whole),
    "enable_client_messages": (("enableClientMessages", "EnableClientMessages", "enable_client_messages"), flag),
    "max_backend_events_per_second": (
        ("maxBackendEventsPerSecond", "MaxBackendEventsPerSecond", "max_backend_events_per_sec"),
        whole,
    ),
    "max_client_events_per_second": (
        ("maxClientEventsPerSecond", "MaxClientEventsPerSecond", "max_client_events_per_sec"),
        whole,
    ),
    "max_read_requests_per_second": (
        ("maxReadRequestsPerSecond", "MaxReadRequestsPerSecond", "max_read_req_per_sec"),
        whole,
    ),
    "max_presence_members_per_channel": (
        ("maxPresenceMembersPerChannel", "MaxPresenceMembersPerChannel", "max_presence_members_per_channel"),
        positive,
    ),
    "max_presence_member_size_in_kb": (
        ("maxPresenceMemberSizeInKb", "MaxPresenceMemberSizeInKb", "max_presence_member_size_in_kb"),
        positive,
    ),
    "max_channel_name_length": (
        ("maxChannelNameLength", "MaxChannelNameLength", "max_channel_name_length"),
        positive,
    ),
    "max_event_channels_at_once": (
        ("maxEventChannelsAtOnce", "MaxEventChannelsAtOnce", "max_event_channels_at_once"),
        positive,
    ),
    "max_event_name_length": (("maxEventNameLength", "MaxEventNameLength", "max_event_name_length"), positive),
    "max_event_payload_in_kb": (
        ("maxEventPayloadInKb", "MaxEventPayloadInKb", "max_event_payload_in_kb"),
        positive,
    ),
    "max_event_batch_size": (("maxEventBatchSize", "MaxEventBatchSize", "max_event_batch_size"), positive),
    "enable_user_authentication": (
        ("enableUserAuthentication", "EnableUserAuthentication", "enable_user_authentication"),
        flag,
    ),
}
WEBHOOKS: Final = ("webhooks", "Webhooks")

# A negative number switches these off in soketi; here they are off where nothing is said.
_MAY_BE_NEGATIVE: Final = frozenset(
    {
        "max_connections",
        "max_backend_events_per_second",
        "max_client_events_per_second",
        "max_read_requests_per_second",
    }
)


def convert_app(app: Mapping[str, Any], key: str, draft: Draft) -> dict[str, Any] | None:
    """Return an app of ours, never less restricted than it was, or None where it has no secret.

    `key` is where the app stands in soketi's configuration.
    """
    found: dict[str, Any] = {}
    is_whole = True
    for name, (names, convert) in FIELDS.items():
        given = last_given(app, names)
        if given is None or (name in _MAY_BE_NEGATIVE and _is_negative(given[1])):
            continue
        try:
            found[name] = convert(given[1])
        except NoEqual as reason:
            is_whole = is_whole and name not in IDENTITY
            draft.remark(f"{key}.{given[0]}", f"{reason}; {_close(found, name)}")
    _refuse_client_events(found, key, draft)
    is_whole = _complete(app, found, key, draft) and is_whole
    webhooks = list(_webhooks(app, key, draft))
    if webhooks:
        found["webhooks"] = webhooks
    known = {known for names, _ in FIELDS.values() for known in names} | set(WEBHOOKS)
    for name in app:
        if name not in known:
            draft.remark(f"{key}.{name}", "is no setting of an app")
    return {name: found[name] for name in (*IDENTITY, *found)} if is_whole else None


def _close(app: dict[str, Any], name: str) -> str:
    """Let an app do less, because one of its properties cannot be read; return what it does not do."""
    if name in IDENTITY:
        return "the app is left out"
    if name == "enable_client_messages":
        app[name] = False
        return "client events are refused"
    app["enabled"] = False
    return f"the app is disabled: set its {name}, then enable it"


def _complete(app: Mapping[str, Any], found: dict[str, Any], key: str, draft: Draft) -> bool:
    """Give an app the id and key that soketi gives it; return whether it has a secret of its own."""
    for name, value in DEFAULTS_OF_AN_APP.items():
        if last_given(app, FIELDS[name][0]) is None:
            found[name] = value
            draft.remark(f"{key}.{name}", f"is not given, so it is soketi's default {value}")
    if last_given(app, FIELDS["secret"][0]) is None:
        draft.remark(f"{key}.secret", "is not given, and everybody knows soketi's default; the app is left out")
        return False
    return True


def last_given(values: Mapping[str, Any], names: tuple[str, ...]) -> tuple[str, Any] | None:
    """The last of the names that has a value, with it."""
    given = [(name, values[name]) for name in names if values.get(name) not in (None, "")]
    return given[-1] if given else None


def _refuse_client_events(app: dict[str, Any], key: str, draft: Draft) -> None:
    """Keep client events refused where a limit of 0 a second did it, which here is no limit."""
    if app.get("max_client_events_per_second") == 0:
        del app["max_client_events_per_second"]
        app["enable_client_messages"] = False
        draft.remark(
            f"{key}.maxClientEventsPerSecond", "0 refuses every client event; here enable_client_messages does"
        )


def _webhooks(app: Mapping[str, Any], key: str, draft: Draft) -> Iterator[dict[str, Any]]:
    given = last_given(app, WEBHOOKS)
    if given is None:
        return
    name, value = given
    for index, webhook in enumerate(draft.read(f"{key}.{name}", value, listed, [])):
        here = f"{key}.{name}.{index}"
        try:
            yield _webhook(members(webhook), here, draft)
        except NoEqual as reason:
            draft.remark(here, f"{reason}; it is left out")


def _webhook(webhook: Mapping[str, Any], key: str, draft: Draft) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if webhook.get("url"):
        found["url"] = text(webhook["url"])
        if webhook.get("lambda_function"):
            draft.remark(f"{key}.lambda_function", "a webhook with a URL calls only that, in soketi too")
    elif webhook.get("lambda_function"):
        found["lambda"] = _function(webhook, key, draft)
    else:
        raise NoEqual("has neither a url nor a lambda_function")
    wanted = draft.read_each(f"{key}.event_types", entries(webhook.get("event_types") or []), text)
    for event in wanted:
        if event not in EVENT_TYPES:
            draft.remark(f"{key}.event_types", "has an event that does not exist; it is left out")
    found["event_types"] = [event for event in wanted if event in EVENT_TYPES]
    if not found["event_types"]:
        raise NoEqual("has no event_types")
    filters = _filter(webhook)
    if filters:
        found["filter"] = filters
    for name in webhook:
        if name not in _OF_A_WEBHOOK:
            draft.remark(f"{key}.{name}", "is no setting of a webhook")
    if webhook.get("headers"):
        found["headers"] = {name: text(value) for name, value in members(webhook["headers"]).items()}
    return found


def _filter(webhook: Mapping[str, Any]) -> dict[str, str]:
    """The conditions of a webhook. One that is not understood is not dropped: the webhook would get other channels too.

    Raises:
        NoEqual: a condition cannot be read, or does not stand in the filter.
    """
    for name in webhook:
        if name in _FILTERS or name in _FILTERS.values() or name == "filters":
            raise NoEqual(f"has {name} beside the URL, where soketi does not read it")
    given = members(webhook.get("filter"))
    for name in given:
        if name not in _FILTERS:
            raise NoEqual(f"has a filter {name}, which soketi does not know")
    return {ours: text(given[theirs]) for theirs, ours in _FILTERS.items() if given.get(theirs) not in (None, "")}


def _function(webhook: Mapping[str, Any], key: str, draft: Draft) -> dict[str, Any]:
    options = members(webhook.get("lambda"))
    found = {"function_name": text(webhook["lambda_function"]), "region": text(options.get("region") or "us-east-1")}
    found["invocation_type"] = "Event" if flag(options.get("async")) else "RequestResponse"
    client = members(options.get("client_options"))
    if client.get("endpoint"):
        found["endpoint_url"] = text(client["endpoint"])
    for name in client:
        if name != "endpoint":
            draft.remark(f"{key}.lambda.client_options.{name}", "only region and endpoint can be set here")
    return found


def _is_negative(value: Any) -> bool:
    try:
        return number(value) < 0
    except NoEqual:
        return False
