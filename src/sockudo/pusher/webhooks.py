"""Builds webhook events and bodies as bytes.

Every event is a flat JSON object of strings and whole numbers, because some libraries read it into a map of strings.

Source: Pusher docs, `server_api/webhooks`.
"""

from __future__ import annotations

from typing import Final

from sockudo.pusher.events import json_text
from sockudo.pusher.surrogates import replace_lone_surrogates

CONTENT_TYPE: Final = "application/json"
KEY_HEADER: Final = "X-Pusher-Key"
SIGNATURE_HEADER: Final = "X-Pusher-Signature"

CHANNEL_OCCUPIED: Final = "channel_occupied"
CHANNEL_VACATED: Final = "channel_vacated"
MEMBER_ADDED: Final = "member_added"
MEMBER_REMOVED: Final = "member_removed"
CLIENT_EVENT: Final = "client_event"
CACHE_MISS: Final = "cache_miss"
SUBSCRIPTION_COUNT: Final = "subscription_count"
CONNECTION_ESTABLISHED: Final = "connection_established"
CONNECTION_TERMINATED: Final = "connection_terminated"


def occupancy_event(name: str, channel: str, time_ms: int) -> bytes:
    """Return `channel_occupied` or `channel_vacated`."""
    return b'{"name":"%b","channel":%b,"time_ms":%d}' % (name.encode(), json_text(channel), time_ms)


def member_event(name: str, channel: str, user_id: str, time_ms: int) -> bytes:
    """Return `member_added` or `member_removed`."""
    return b'{"name":"%b","channel":%b,"user_id":%b,"time_ms":%d}' % (
        name.encode(),
        json_text(channel),
        json_text(user_id),
        time_ms,
    )


def client_event(channel: str, event: str, data: bytes, socket_id: str, user_id: str | None, time_ms: int) -> bytes:
    """Return `client_event`.

    Args:
        data: JSON as the client sent it. A string stays what it is, but for halves of surrogate pairs, which many
            receivers cannot read; anything else becomes the string of its JSON. Without data (b"") there is no such
            member.
        user_id: the sender on presence channels.
    """
    text = replace_lone_surrogates(data) if data.startswith(b'"') else json_text(data.decode())
    member = b',"data":%b' % text if data else b""
    user = b"" if user_id is None else b',"user_id":%b' % json_text(user_id)
    return b'{"name":"client_event","channel":%b,"event":%b%b,"socket_id":"%b"%b,"time_ms":%d}' % (
        json_text(channel),
        json_text(event),
        member,
        socket_id.encode(),
        user,
        time_ms,
    )


def cache_miss(channel: str, time_ms: int) -> bytes:
    """Return `cache_miss`."""
    return b'{"name":"cache_miss","channel":%b,"data":"{}","time_ms":%d}' % (json_text(channel), time_ms)


def subscription_count(channel: str, count: int, time_ms: int) -> bytes:
    """Return `subscription_count`."""
    return b'{"name":"subscription_count","channel":%b,"subscription_count":%d,"time_ms":%d}' % (
        json_text(channel),
        count,
        time_ms,
    )


def connection_event(name: str, socket_id: str, time_ms: int) -> bytes:
    """Return `connection_established` or `connection_terminated`, whose shape no page of Pusher describes."""
    return b'{"name":"%b","socket_id":"%b","time_ms":%d}' % (name.encode(), socket_id.encode(), time_ms)


def webhook_body(time_ms: int, events: bytes) -> bytes:
    """Return the body of a request; `events` is a JSON list of what the functions above return."""
    return b'{"time_ms":%d,"events":%b}' % (time_ms, events)
