"""Converts rows of soketi's tables: limits that are off, and conditions of webhooks.

A condition is converted, or left, so that the code that makes an app of the row refuses it. It is never dropped,
because the webhook would then receive the events of every channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

# A negative number switches these off; each has the value with the same meaning here.
WITHOUT_LIMIT: Final[Mapping[str, int | None]] = {
    "max_connections": 0,
    "max_client_events_per_second": 0,
    "max_backend_events_per_second": None,
    "max_read_requests_per_second": None,
}
_CONDITIONS: Final = {"channel_name_starts_with": "channel_prefix", "channel_name_ends_with": "channel_suffix"}


def limit_of(name: str, value: Any) -> Any:
    """Return a limit as this server writes it."""
    if name in WITHOUT_LIMIT and isinstance(value, int) and value < 0:
        return WITHOUT_LIMIT[name]
    return value


def webhooks_of(value: Any) -> Any:
    """Return webhooks with this server's names in place of soketi's; anything but a list of objects stays as it is."""
    if not isinstance(value, list):
        return value
    return [_webhook(one) if isinstance(one, dict) else one for one in value]


def _webhook(webhook: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(webhook)
    _move_conditions(found)
    if found.get("lambda_function"):
        _name_function(found)
    return found


def _move_conditions(webhook: dict[str, Any]) -> None:
    """Move the conditions of a webhook into its filter, also those outside of it."""
    beside = [name for name in _CONDITIONS if webhook.get(name)]
    conditions = webhook.get("filter") or {}
    if not isinstance(conditions, dict) or not (beside or any(name in conditions for name in _CONDITIONS)):
        return
    given = conditions | {name: webhook[name] for name in beside if name not in conditions}
    for theirs, ours in _CONDITIONS.items():
        # Two different conditions under the two names stay, and are refused.
        if theirs in given and given.get(ours) in (None, "", given[theirs]):
            given[ours] = given.pop(theirs)
            if webhook.get(theirs) == given[ours]:
                del webhook[theirs]
    webhook["filter"] = given


def _name_function(webhook: dict[str, Any]) -> None:
    """Move the options of a Lambda function, which soketi keeps beside it, into one object."""
    options = webhook.get("lambda")
    if webhook.get("url"):
        # soketi ignores the function then, and calls the URL.
        del webhook["lambda_function"]
        webhook.pop("lambda", None)
    elif isinstance(options, dict) and "function_name" not in options:
        client = options.get("client_options")
        endpoint = client.get("endpoint") if isinstance(client, dict) else None
        webhook["lambda"] = {
            "function_name": webhook.pop("lambda_function"),
            "region": options.get("region") or "us-east-1",
            "invocation_type": "Event" if options.get("async") else "RequestResponse",
            **({"endpoint_url": endpoint} if endpoint else {}),
        }
