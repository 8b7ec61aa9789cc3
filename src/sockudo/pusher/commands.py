"""What a client asks: one text frame -> one command.

Every name, type and encoding problem of foreign input ends here, as `CommandRejected`. Texts of errors never repeat
the input. `data` may be an object or a string that holds the same JSON: client libraries send both.

Source: Pusher docs, `library_auth_reference/pusher-websockets-protocol` ("Events").
"""

from __future__ import annotations

from typing import Final, TypeAlias, TypeVar

import msgspec

from sockudo.pusher.errors import CommandRejected

CLIENT_EVENT_PREFIX: Final = "client-"


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
    """`client-*`: an event for the other subscribers of `channel`; `data` is its JSON text as it came."""

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


class _SubscribeData(msgspec.Struct, gc=False):
    channel: str
    auth: str | None = None
    channel_data: str | None = None


_T = TypeVar("_T")

_decode_frame: Final = msgspec.json.Decoder(_Frame).decode
_decode_subscribe: Final = msgspec.json.Decoder(_SubscribeData)
_decode_unsubscribe: Final = msgspec.json.Decoder(Unsubscribe)
_decode_signin: Final = msgspec.json.Decoder(Signin)
_decode_text: Final = msgspec.json.Decoder(str).decode

_PING: Final = Ping()
_PONG: Final = Pong()
_UNKNOWN: Final = Unknown()


def parse_command(payload: bytes) -> Command:
    """Return the command in the `payload` of one message.

    Raises:
        CommandRejected: it is not UTF-8 (a binary message may be anything), not JSON, not an object, or lacks what
            its event needs.
    """
    try:
        frame = _decode_frame(payload)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as problem:
        raise CommandRejected(f"Invalid message format: {_reason(problem)}") from None
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
            return _UNKNOWN


def _check_utf8(data: bytes) -> None:
    """Refuse what cannot go to others in a text frame: the decoder does not look into values that are kept raw."""
    try:
        data.decode()
    except UnicodeError as problem:
        raise CommandRejected(f"Invalid message format: data of the event: {_reason(problem)}") from None


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
        raise CommandRejected(f"Invalid message format: {what} has no data")
    if text[:1] == b'"':
        text = _decode_string(bytes(raw), what)
    try:
        return decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as problem:
        raise CommandRejected(f"Invalid message format: data of {what}: {_reason(problem)}") from None


def _decode_string(text: bytes, what: str) -> str:
    try:
        return _decode_text(text)
    except (msgspec.MsgspecError, UnicodeError) as problem:
        raise CommandRejected(f"Invalid message format: data of {what}: {_reason(problem)}") from None


def _reason(problem: Exception) -> str:
    return "nested too deeply" if isinstance(problem, RecursionError) else str(problem)[:200]
