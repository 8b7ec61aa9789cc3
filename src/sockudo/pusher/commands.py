"""Parses the text frame of a client into a command.

Every name, type and encoding problem of foreign input ends here, as `MessageUnreadable`. Texts of errors never repeat
the input. `data` may be an object or a string that holds the same JSON: client libraries send both.

Source: Pusher docs, `library_auth_reference/pusher-websockets-protocol` ("Events").
"""

from __future__ import annotations

from typing import Final, TypeAlias, TypeVar

import msgspec

from sockudo.pusher.errors import CommandRejected, EventNameMissing, MessageUnreadable
from sockudo.pusher.surrogates import decode, raw_members

CLIENT_EVENT_PREFIX: Final = "client-"
RESERVED_PREFIXES: Final = ("pusher:", "pusher_internal:")

# Commands of a later dialect of the protocol; on the sockets served here they are events like any unknown one.
_LATER_COMMANDS: Final = frozenset(
    {
        "pusher:auth",
        "pusher:channel_history",
        "pusher:delta_sync_error",
        "pusher:enable_delta_compression",
        "pusher:presence_update",
        "pusher:resume",
    }
)


class Subscribe(msgspec.Struct, frozen=True, gc=False):
    """`pusher:subscribe`: join `channel`; `channel_data` is the exact JSON text that was signed, or None."""

    channel: str
    auth: str = ""
    channel_data: str | None = None


class Unsubscribe(msgspec.Struct, frozen=True, gc=False):
    """`pusher:unsubscribe`: leave `channel`."""

    channel: str


class Signin(msgspec.Struct, frozen=True, gc=False):
    """`pusher:signin`: `user_data` is the exact JSON text that was signed."""

    auth: str
    user_data: str


class ClientEvent(msgspec.Struct, frozen=True, gc=False):
    """`client-*`: an event for the other subscribers of `channel`; `data` is its JSON text as it came, b"" for none."""

    event: str
    channel: str | None
    data: bytes


class Ping(msgspec.Struct, frozen=True, gc=False):
    """`pusher:ping`: answered by `pusher:pong`."""


class Pong(msgspec.Struct, frozen=True, gc=False):
    """`pusher:pong`: like any frame, a sign of life."""


class Unknown(msgspec.Struct, frozen=True, gc=False):
    """An event this server does not know; it is ignored, so that newer clients can talk to it."""


Command: TypeAlias = Subscribe | Unsubscribe | Signin | ClientEvent | Ping | Pong | Unknown


class _Frame(msgspec.Struct, gc=False):
    event: str
    channel: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"")


class _Nameless(msgspec.Struct, gc=False):
    event: None = None


class _Named(msgspec.Struct, gc=False):
    channel: str | None = None


class _SubscribeData(msgspec.Struct, gc=False):
    channel: str
    auth: str | None = None
    channel_data: str | None = None


_T = TypeVar("_T")

_frames: Final = msgspec.json.Decoder(_Frame)
_decode_frame: Final = _frames.decode
_decode_subscribe: Final = msgspec.json.Decoder(_SubscribeData)
_decode_unsubscribe: Final = msgspec.json.Decoder(Unsubscribe)
_decode_signin: Final = msgspec.json.Decoder(Signin)
_nameless: Final = msgspec.json.Decoder(_Nameless)
_decode_named: Final = msgspec.json.Decoder(_Named)
_decode_text: Final = msgspec.json.Decoder(str)

_PING: Final = Ping()
_PONG: Final = Pong()
_UNKNOWN: Final = Unknown()


def parse_command(payload: bytes) -> Command:
    """Return the command in the `payload` of one message.

    Raises:
        MessageUnreadable: it is not UTF-8 (a binary message may be anything), not JSON, not an object, or lacks what
            its event needs.
            `EventNameMissing` says that it is an object, and names no event.
        CommandRejected: the name of its event is reserved.
    """
    try:
        frame = _decode_frame(payload)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        frame = _mended_frame(payload)
    event = frame.event
    if event.startswith(CLIENT_EVENT_PREFIX):
        text = bytes(frame.data)
        if not text.isascii():
            _check_utf8(text)
        return ClientEvent(event, frame.channel, text)
    match event:
        case "pusher:ping":
            return _PING
        case "pusher:pong":
            return _PONG
        case "pusher:subscribe":
            data = _data(frame.data, _decode_subscribe, "subscribe")
            # Some libraries send "" for channel_data on channels that have none.
            return Subscribe(data.channel, data.auth or "", data.channel_data or None)
        case "pusher:unsubscribe":
            return _parse_unsubscribe(frame.data)
        case "pusher:signin":
            return _data(frame.data, _decode_signin, "signin")
        case _:
            if event.startswith(RESERVED_PREFIXES) and event not in _LATER_COMMANDS:
                raise CommandRejected(_RESERVED, channel=None if frame.channel is None else frame.channel[:200])
            return _UNKNOWN


_RESERVED: Final = (
    "Reserved event name: names that begin with pusher: or pusher_internal: belong to the server; "
    "the name of a client event begins with client-"
)


def _mended_frame(payload: bytes) -> _Frame:
    """Return the frame of a message that holds half a surrogate pair; refuse every other."""
    if not payload:
        raise MessageUnreadable("Invalid message format: the message is empty")
    try:
        frame = decode(_frames, payload)
        if bytes(frame.data):
            frame.data = msgspec.Raw(raw_members(payload)["data"])
    except (ValueError, RecursionError) as problem:
        kind = EventNameMissing if _is_nameless(payload) else MessageUnreadable
        raise kind(f"Invalid message format: {_reason(problem)}") from None
    return frame


def _is_nameless(payload: bytes) -> bool:
    """Tell whether an unreadable message is a JSON object without the name of an event."""
    try:
        decode(_nameless, payload)
    except (ValueError, RecursionError):
        return False
    return True


def _check_utf8(data: bytes) -> None:
    """Refuse what cannot go to others in a text frame: the decoder does not look into values that are kept raw."""
    try:
        data.decode()
    except UnicodeError as problem:
        raise MessageUnreadable(f"Invalid message format: data of the event: {_reason(problem)}") from None


def _parse_unsubscribe(raw: msgspec.Raw) -> Unsubscribe:
    text = bytes(raw)
    if text[:1] == b'"' and text[1:2] != b"{":
        inner = _decode_string(text, "unsubscribe")
        if not inner.lstrip().startswith("{"):
            return Unsubscribe(inner)
    return _data(raw, _decode_unsubscribe, "unsubscribe")


def _data(raw: msgspec.Raw, decoder: msgspec.json.Decoder[_T], what: str) -> _T:
    text: bytes | str = bytes(raw)
    if not text:
        raise MessageUnreadable(f"Invalid message format: {what} has no data")
    if text[:1] == b'"':
        text = _decode_string(bytes(raw), what)
    try:
        return decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        pass
    try:
        # Half a surrogate pair may be all that is at fault.
        return decode(decoder, text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as problem:
        reason = f"Invalid message format: data of {what}: {_reason(problem)}"
        raise MessageUnreadable(reason, channel=_channel_in(text)) from None


def _channel_in(text: bytes | str) -> str | None:
    """Return the channel that unreadable data is about, where it can be told."""
    try:
        name = decode(_decode_named, text).channel
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
    return None if name is None else name[:200]


def _decode_string(text: bytes, what: str) -> str:
    try:
        return decode(_decode_text, text)
    except (msgspec.MsgspecError, UnicodeError) as problem:
        raise MessageUnreadable(f"Invalid message format: data of {what}: {_reason(problem)}") from None


def _reason(problem: Exception) -> str:
    return "nested too deeply" if isinstance(problem, RecursionError) else str(problem)[:200]
