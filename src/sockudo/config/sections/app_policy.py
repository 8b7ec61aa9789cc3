"""Reads the `policy` of an app, which newer files of the original have, as the plain properties.

Parts of a policy that this server does not have keep their path: it refuses those that restrict, and warns of the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sockudo.config.checks.restrictions import dropped, refusal, says_nothing
from sockudo.config.problems import Location, path_text

POLICY: Final = "policy"
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "limits": (
        "max_connections",
        "max_client_events_per_second",
        "max_backend_events_per_second",
        "max_read_requests_per_second",
        "max_presence_members_per_channel",
        "max_presence_member_size_in_kb",
        "max_channel_name_length",
        "max_event_channels_at_once",
        "max_event_name_length",
        "max_event_payload_in_kb",
        "max_event_batch_size",
    ),
    "features": (
        "enable_client_messages",
        "enable_user_authentication",
        "enable_watchlist_events",
        "enable_subscription_count",
    ),
    "channels": ("allowed_origins",),
}
# Features of the original that restrict nothing, in an app and in its policy.
HARMLESS: Final = (
    "annotations_enabled",
    "channel_delta_compression",
    "connection_recovery",
    "history",
    "idempotency",
    "presence_history",
)


@dataclass(slots=True)
class Unfolded:
    """An app with its policy taken apart.

    Attributes:
        values: the properties, including those of the policy.
        places: the places of the properties in the policy.
        unread: the parts of the policy without effect, with their places.
        broken: problems, with their places.
    """

    values: dict[str, Any]
    places: dict[str, Location] = field(default_factory=dict)
    unread: dict[Location, Any] = field(default_factory=dict)
    broken: list[tuple[Location, str]] = field(default_factory=list)

    def take(self, name: str, value: Any, place: Location) -> None:
        """Take a property of the policy, unless the app itself has another value for it."""
        own = self.values.get(name)
        if value is None and own is not None:
            return
        if own is not None and own != value:
            self.broken.append((place, f"differs from {name} beside the policy; keep one of them"))
            return
        self.values[name] = value
        self.places[name] = place


def unfold(app: Mapping[str, Any]) -> Unfolded:
    """Take the policy of an app apart."""
    found = Unfolded({key: value for key, value in app.items() if key != POLICY})
    policy = app.get(POLICY)
    if policy is None:
        return found
    if not isinstance(policy, Mapping):
        found.broken.append(((POLICY,), "expected an object with limits, features, channels and webhooks"))
        return found
    for key, value in policy.items():
        if key in GROUPS:
            _take_group(found, key, value)
        elif key == "webhooks":
            found.take(key, value, (POLICY, key))
        else:
            found.unread[POLICY, key] = value
    unknown = {key: value for key, value in policy.items() if key not in GROUPS}
    _refuse(found, dropped(unknown, ("webhooks", *GROUPS), HARMLESS), (POLICY,), ("webhooks", *GROUPS))
    return found


def override(app: dict[str, Any], values: Mapping[str, Any]) -> None:
    """Set properties of an app, in place of its own and those of its policy."""
    app.update(values)
    policy = app.get(POLICY)
    if not isinstance(policy, dict):
        return
    for group in GROUPS:
        section = policy.get(group)
        if isinstance(section, dict):
            policy[group] = {key: value for key, value in section.items() if key not in values}


def _take_group(found: Unfolded, group: str, section: Any) -> None:
    if section is None:
        return
    if not isinstance(section, Mapping):
        found.broken.append(((POLICY, group), "expected an object"))
        return
    names = GROUPS[group]
    for key, value in section.items():
        place = (POLICY, group, key)
        if key in names:
            found.take(key, value, place)
        else:
            found.unread[place] = value
    # These groups only restrict.
    unread = (key for key, value in section.items() if key not in (*names, *HARMLESS) and not says_nothing(key, value))
    _refuse(found, unread, (POLICY, group), names)


def _refuse(found: Unfolded, keys: Iterator[str], path: Location, known: Collection[str]) -> None:
    found.broken += [((*path, key), refusal(key, known)) for key in keys]


def unread_warnings(found: Unfolded, path: Location) -> Iterator[str]:
    """Yield a warning for each part of a policy that has a value and no effect."""
    for place, value in found.unread.items():
        if not says_nothing(str(place[-1]), value):
            yield f"unknown key {path_text((*path, *place))} has no effect"
