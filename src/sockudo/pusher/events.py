"""Builds the events that the server sends: each function returns the UTF-8 JSON of one text frame.

`data` is a JSON string that holds JSON (double encoding), which client libraries require, except in `pusher:error`,
`pusher:signin_success` and `pusher:subscription_error`, where it is an object; `pusher:cache_miss` has none.

Source: Pusher docs, `library_auth_reference/pusher-websockets-protocol`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

_encode: Final = msgspec.json.Encoder().encode

PONG: Final = b'{"event":"pusher:pong","data":"{}"}'


def json_text(value: object) -> bytes:
    """Return `value` as compact JSON; of a `str`, its JSON string literal."""
    return _encode(value)


def nested(text: bytes) -> bytes:
    """Return JSON `text` escaped for use inside a JSON string, without the quotes around it."""
    return _encode(text.decode())[1:-1]


def connection_established(socket_id: str, activity_timeout: int) -> bytes:
    """Return the first frame of a connection; `activity_timeout` is in seconds."""
    return (
        b'{"event":"pusher:connection_established","data":"{\\"socket_id\\":\\"%b\\",\\"activity_timeout\\":%d}"}'
        % (socket_id.encode(), activity_timeout)
    )


def error(message: str, code: int | None = None, channel: str | None = None) -> bytes:
    """Return `pusher:error`; no code means that client libraries only report it."""
    frame: dict[str, object] = {"event": "pusher:error", "data": {"code": code, "message": message}}
    if channel is not None:
        frame["channel"] = channel
    return _encode(frame)


def subscription_error(channel: str, kind: str, message: str, status: int) -> bytes:
    """Return `pusher:subscription_error`, which pusher-js hands to the channel."""
    return _encode(
        {
            "event": "pusher:subscription_error",
            "channel": channel,
            "data": {"type": kind, "error": message, "status": status},
        }
    )


def subscription_succeeded(channel: str) -> bytes:
    """Return the success of a subscription to a channel without members."""
    return b'{"event":"pusher_internal:subscription_succeeded","channel":%b,"data":"{}"}' % _encode(channel)


def presence_succeeded(channel: str, roster: bytes) -> bytes:
    """Return the success of a subscription to a presence channel; `roster` comes from `presence_roster`."""
    return b'{"event":"pusher_internal:subscription_succeeded","channel":%b,"data":"%b"}' % (_encode(channel), roster)


def presence_roster(ids: Iterable[bytes], entries: Iterable[bytes], count: int) -> bytes:
    """Return `{"presence":{"count":..,"ids":[..],"hash":{..}}}`, nested, of pieces that are nested already.

    Args:
        ids: one piece for each member, from `roster_id`.
        entries: one piece for each member, from `roster_entry`.
        count: how many members there are.
    """
    return b'{\\"presence\\":{\\"count\\":%d,\\"ids\\":[%b],\\"hash\\":{%b}}}' % (
        count,
        b",".join(ids),
        b",".join(entries),
    )


def roster_id(user_id: str) -> bytes:
    """Return one element of `ids`, nested."""
    return nested(_encode(user_id))


def roster_entry(user_id: str, user_info: bytes) -> bytes:
    """Return one `"id":info` of `hash`, nested; `user_info` is JSON."""
    return nested(b"%b:%b" % (_encode(user_id), user_info))


def roster_entry_info(user_id: str, entry: bytes) -> bytes:
    """Return the `user_info` (JSON) in an entry of `roster_entry`."""
    text = msgspec.json.decode(b'"%b"' % entry, type=str).encode()
    return text[len(_encode(user_id)) + 1 :]


def member_added(channel: str, user_id: str, user_info: bytes) -> bytes:
    """Return what the others hear of a user's first connection; `user_info` is JSON."""
    return b'{"event":"pusher_internal:member_added","channel":%b,"data":"%b"}' % (
        _encode(channel),
        nested(b'{"user_id":%b,"user_info":%b}' % (_encode(user_id), user_info)),
    )


def member_removed(channel: str, user_id: str) -> bytes:
    """Return what the others hear when a user's last connection is gone."""
    return b'{"event":"pusher_internal:member_removed","channel":%b,"data":"%b"}' % (
        _encode(channel),
        nested(b'{"user_id":%b}' % _encode(user_id)),
    )


def subscription_count(channel: str, count: int) -> bytes:
    """Return the number of subscribers; client libraries hand it on as `pusher:subscription_count`."""
    return b'{"event":"pusher_internal:subscription_count","channel":%b,"data":"{\\"subscription_count\\":%d}"}' % (
        _encode(channel),
        count,
    )


def cache_miss(channel: str) -> bytes:
    """Return what a subscriber of a cache channel hears when no event is kept. It has no data."""
    return b'{"event":"pusher:cache_miss","channel":%b}' % _encode(channel)


def channel_event(name: bytes, channel: str, data: bytes) -> bytes:
    """Return an event as subscribers get it; `name` and `data` are JSON string literals, encoded once for all."""
    return b'{"event":%b,"channel":%b,"data":%b}' % (name, _encode(channel), data)


def client_event(name: str, channel: str, data: bytes, user_id: str | None) -> bytes:
    """Return a client event for the others.

    Args:
        data: JSON as it came, or b"" for an event without data, which has no such member.
        user_id: the sender, on presence channels.
    """
    member = b',"data":%b' % data if data else b""
    if user_id is None:
        return b'{"event":%b,"channel":%b%b}' % (_encode(name), _encode(channel), member)
    return b'{"event":%b,"channel":%b%b,"user_id":%b}' % (_encode(name), _encode(channel), member, _encode(user_id))


def signin_success(user_data: str) -> bytes:
    """Return the success of a sign-in, with its `user_data` (JSON text) in an object."""
    return b'{"event":"pusher:signin_success","data":{"user_data":%b}}' % _encode(user_data)


def watchlist_events(changes: Mapping[str, list[str]]) -> bytes:
    """Return which watched users are `online` and `offline`, in the form that pusher-js reads."""
    events = [{"name": name, "user_ids": user_ids} for name, user_ids in changes.items() if user_ids]
    return b'{"event":"pusher_internal:watchlist_events","data":%b}' % _encode(_encode({"events": events}).decode())
