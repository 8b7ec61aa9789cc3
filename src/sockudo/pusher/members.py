"""What identifies a member of a presence channel and a signed-in user: JSON that the app's back end has signed.

Source: Pusher docs, `using_channels/presence-channels` and `using_channels/user-authentication`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

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


class _ChannelData(msgspec.Struct, gc=False):
    user_id: str | int | float | None = None
    user_info: msgspec.Raw = msgspec.Raw(b"")


class _UserData(msgspec.Struct, gc=False):
    id: str | None = None
    user_info: msgspec.Raw = msgspec.Raw(b"")
    watchlist: list[str] | None = None


_decode_channel_data: Final = msgspec.json.Decoder(_ChannelData)
_decode_user_data: Final = msgspec.json.Decoder(_UserData)


def parse_channel_data(text: str) -> Identity:
    """Return the member in `channel_data`: `user_id` (text, or a number taken as its decimal text), `user_info`.

    Raises:
        InvalidIdentity: it is not such JSON.
    """
    try:
        data = _decode_channel_data.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as problem:
        raise InvalidIdentity(f"Invalid channel_data JSON: {_reason(problem)}") from None
    user_id = data.user_id
    if user_id is None:
        raise InvalidIdentity("Missing user_id in channel_data")
    return Identity(_checked_id(_id_text(user_id), "user_id"), _info(data.user_info))


def parse_user_data(text: str) -> Identity:
    """Return the user in the `user_data` of a sign-in: `id` (text), `user_info`, `watchlist` (texts).

    Raises:
        InvalidIdentity: it is not such JSON.
    """
    try:
        data = _decode_user_data.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as problem:
        raise InvalidIdentity(f"Invalid user_data JSON: {_reason(problem)}") from None
    if data.id is None:
        raise InvalidIdentity("Missing 'id' field in user_data")
    return Identity(_checked_id(data.id, "id"), _info(data.user_info), tuple(data.watchlist or ()))


def _id_text(user_id: str | int | float) -> str:
    # To the JavaScript client that looks for itself among the members, 10.0 is 10.
    if isinstance(user_id, float) and user_id.is_integer():
        user_id = int(user_id)
    return str(user_id)


def _checked_id(user_id: str, field: str) -> str:
    if not user_id:
        raise InvalidIdentity(f"'{field}' is empty")
    if len(user_id) > MAX_USER_ID_LENGTH:
        raise InvalidIdentity(f"'{field}' has {len(user_id)} characters, the limit is {MAX_USER_ID_LENGTH}")
    return user_id


def _info(raw: msgspec.Raw) -> bytes:
    text = bytes(raw)
    return _NO_INFO if text in (b"", b"null") else text


def _reason(problem: Exception) -> str:
    return "nested too deeply" if isinstance(problem, RecursionError) else str(problem)[:200]
