"""Parses the signed JSON that identifies a presence member or a signed-in user.

An id is a text. Back ends also sign numbers, which are taken as their decimal text, without an exponent and without
zeros that say nothing: 7, 7.0 and 70e-1 are all "7".

Source: Pusher docs, `using_channels/presence-channels` and `using_channels/user-authentication`.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from sockudo.pusher.surrogates import decode, raw_members

MAX_USER_ID_LENGTH: Final = 200
MAX_WATCHLIST: Final = 100

_NO_INFO: Final = b"{}"


class InvalidIdentity(ValueError):
    """The signed JSON does not identify anyone; the message says what is missing."""


class Identity(NamedTuple):
    """A user id, what is told of the user (JSON), and whom the user watches."""

    user_id: str
    user_info: bytes = _NO_INFO
    watchlist: tuple[str, ...] = ()


class _Object(msgspec.Struct, gc=False):
    pass


class _ChannelData(msgspec.Struct, gc=False):
    user_id: str | int | float | None = None
    user_info: msgspec.Raw = msgspec.Raw(b"")


class _UserData(msgspec.Struct, gc=False):
    id: str | int | float | None = None
    user_info: msgspec.Raw = msgspec.Raw(b"")
    watchlist: list[str | int | float] | None = None


_decode_object: Final = msgspec.json.Decoder(_Object)
_decode_channel_data: Final = msgspec.json.Decoder(_ChannelData)
_decode_user_data: Final = msgspec.json.Decoder(_UserData)


def is_json_object(text: str) -> bool:
    """Tell whether a text is a JSON object and nothing else, from its first character on."""
    if not text.startswith("{"):
        return False
    try:
        decode(_decode_object, text)
    except (ValueError, RecursionError):
        return False
    return True


def parse_channel_data(text: str) -> Identity:
    """Return the member in `channel_data`: `user_id` (text, or a number taken as its decimal text), `user_info`.

    Raises:
        InvalidIdentity: it is not such JSON.
    """
    try:
        data = decode(_decode_channel_data, text)
        info = _info(text, data.user_info)
    except (ValueError, RecursionError) as problem:
        raise InvalidIdentity(f"Invalid channel_data JSON: {_reason(problem)}") from None
    user_id = data.user_id
    if user_id is None:
        raise InvalidIdentity("Missing user_id in channel_data")
    return Identity(_checked_id(_id_text(user_id), "user_id"), info)


def parse_user_data(text: str) -> Identity:
    """Return the user in the `user_data` of a sign-in: `id`, `user_info`, `watchlist` (ids of other users).

    Raises:
        InvalidIdentity: it is not such JSON.
    """
    try:
        data = decode(_decode_user_data, text)
        info = _info(text, data.user_info)
    except (ValueError, RecursionError) as problem:
        raise InvalidIdentity(f"Invalid user_data JSON: {_reason(problem)}") from None
    if data.id is None:
        raise InvalidIdentity("Missing 'id' field in user_data")
    user_id = _checked_id(_id_text(data.id), "id")
    return Identity(user_id, info, tuple([_id_text(watched) for watched in data.watchlist or ()]))


def with_text_id(user_data: str) -> str:
    """Return valid `user_data` as it came, except that an id which is a number becomes its text.

    Client libraries read this back, and do not accept a user whose id is a number.

    Raises:
        InvalidIdentity: it is nested too deeply.
    """
    user_id = decode(_decode_user_data, user_data).id
    if user_id is None or isinstance(user_id, str):
        return user_data
    try:
        members = raw_members(user_data)
    except RecursionError:
        raise InvalidIdentity("Invalid user_data JSON: nested too deeply") from None
    members["id"] = json.dumps(_id_text(user_id)).encode()
    return "{" + ",".join([f"{json.dumps(name)}:{value.decode()}" for name, value in members.items()]) + "}"


def _id_text(user_id: str | int | float) -> str:
    if isinstance(user_id, float):
        # Adding 0.0 makes -0.0 the zero that it equals.
        digits = format(Decimal(repr(user_id + 0.0)), "f")
        return digits.rstrip("0").rstrip(".") if "." in digits else digits
    return str(user_id)


def _checked_id(user_id: str, field: str) -> str:
    if not user_id:
        raise InvalidIdentity(f"'{field}' is empty")
    if len(user_id) > MAX_USER_ID_LENGTH:
        raise InvalidIdentity(f"'{field}' has {len(user_id)} characters, the limit is {MAX_USER_ID_LENGTH}")
    return user_id


def _info(text: str, raw: msgspec.Raw) -> bytes:
    """Return what is told of a user as it came: the decoder saw U+FFFD where the text has half a surrogate pair."""
    info = bytes(raw)
    if info in (b"", b"null"):
        return _NO_INFO
    return raw_members(text)["user_info"] if rb"\ufffd" in info else info


def _reason(problem: Exception) -> str:
    return "nested too deeply" if isinstance(problem, RecursionError) else str(problem)[:200]
