"""The record of an app in a database: its properties, their kinds, and how to read the columns.

A record has the properties under their names, with lists and objects as such; an absent property is None. Tables of
other programs vary more: numbers may be text or decimals, flags numbers or bits, lists JSON text, or text that is JSON
twice; soketi writes negative numbers for limits that are off. `read_record` reads all of these. The code that makes an
app of a record checks the values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, Final, NamedTuple, TypeAlias

from sockudo.apps.database.soketi_rows import limit_of, webhooks_of

Record: TypeAlias = dict[str, Any]

# The longest id, key or secret that fits into the columns of the schema.
LONGEST_NAME: Final = 255


class PropertyKind(Enum):
    """The kind of a property."""

    TEXT = "text"
    COUNT = "count"
    FLAG = "flag"
    JSON = "json"


class Property(NamedTuple):
    """One property of an app.

    Attributes:
        required: the column is NOT NULL.
        default: the default of the column, or None if it has none.
    """

    name: str
    kind: PropertyKind
    required: bool = False
    default: bool | None = None


PROPERTIES: Final = (
    Property("id", PropertyKind.TEXT, required=True),
    Property("key", PropertyKind.TEXT, required=True),
    Property("secret", PropertyKind.TEXT, required=True),
    Property("max_connections", PropertyKind.COUNT, required=True),
    Property("enable_client_messages", PropertyKind.FLAG, required=True, default=False),
    Property("enabled", PropertyKind.FLAG, required=True, default=True),
    Property("max_backend_events_per_second", PropertyKind.COUNT),
    Property("max_client_events_per_second", PropertyKind.COUNT, required=True),
    Property("max_read_requests_per_second", PropertyKind.COUNT),
    Property("max_presence_members_per_channel", PropertyKind.COUNT),
    Property("max_presence_member_size_in_kb", PropertyKind.COUNT),
    Property("max_channel_name_length", PropertyKind.COUNT),
    Property("max_event_channels_at_once", PropertyKind.COUNT),
    Property("max_event_name_length", PropertyKind.COUNT),
    Property("max_event_payload_in_kb", PropertyKind.COUNT),
    Property("max_event_batch_size", PropertyKind.COUNT),
    Property("enable_user_authentication", PropertyKind.FLAG),
    Property("enable_watchlist_events", PropertyKind.FLAG),
    Property("webhooks", PropertyKind.JSON),
    Property("allowed_origins", PropertyKind.JSON),
    # Not a property of the original.
    Property("enable_subscription_count", PropertyKind.FLAG),
)

# Newer tables of the original have this column too. The driver reads it if it is there, and never makes or changes it.
POLICY: Final = Property("policy", PropertyKind.JSON)

# The largest number of a signed column.
LARGEST_SIGNED: Final = 2**31 - 1
IDENTITY: Final = ("id", "key", "secret")
_DIGITS: Final = re.compile(r"-?[0-9]{1,20}", re.ASCII)
# Including those of a column of one bit.
_FLAGS: Final[Mapping[object, bool]] = {
    "1": True, "0": False, "true": True, "false": False, "\x01": True, "\x00": False,
}  # fmt: skip


def read_record(columns: Mapping[str, Any]) -> Record:
    """Return the record in the columns of a row, without columns that are not properties."""
    record = {name: limit_of(name, _read(kind, columns.get(name))) for name, kind, *_ in PROPERTIES}
    record["webhooks"] = webhooks_of(record["webhooks"])
    policy = _read(POLICY.kind, columns.get(POLICY.name))
    return record if policy is None else record | {POLICY.name: policy}


def json_text(value: Any) -> str | None:
    """Return a list or an object as text for a column; None stays None."""
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def is_possible_name(name: str) -> bool:
    """Return whether an app can have this id or key; if not, no database need be asked.

    Databases refuse some texts, which would look as if they could not be used.
    """
    return 0 < len(name) <= LONGEST_NAME and "\0" not in name and not _has_surrogates(name)


def _has_surrogates(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _read(kind: PropertyKind, value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        value = value.decode("utf-8", "replace")
    if value is None:
        return None
    if kind is PropertyKind.FLAG:
        return _FLAGS.get(str(value).lower(), value)
    if kind is PropertyKind.COUNT and _is_whole(value):
        return int(value)
    if kind is PropertyKind.JSON and isinstance(value, str):
        return _read_json(value)
    # Any other value stays as it is, so that the error of the code that makes an app shows it.
    return value if isinstance(value, str | int | float | list | dict) else str(value)


def _is_whole(value: Any) -> bool:
    """Return whether a float or decimal is a whole number."""
    if isinstance(value, str):
        return _DIGITS.fullmatch(value) is not None
    return isinstance(value, float | Decimal) and float(value).is_integer()


def _read_json(text: str) -> Any:
    try:
        value = json.loads(text) if text.strip() else None
    except (ValueError, RecursionError):
        # The text is not a list, so the code that makes an app refuses it.
        return text
    # A program that writes JSON text into a JSON column encodes it twice.
    return _read_json(value) if isinstance(value, str) else value
