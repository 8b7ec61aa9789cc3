"""Encodes and decodes messages of the bus: a small binary header, then the rest as it is.

    kind (1 byte)   sender's node id (8 bytes)   rest

Of an event, stored or not, the rest is the length of the socket id that must not get it (1 byte, 0 for none), that id,
and the frame as its receivers write it to their sockets. Nodes that trace put a zero byte and the context of the trace
before the id (`traced/bus.py`). No socket id begins with that byte. Of everything else the rest is MessagePack.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

import msgspec

from sockudo.cluster.messages.state import (
    LONGEST_STATE,
    AppChanged,
    Delivered,
    Delta,
    Echo,
    EventToCache,
    Follow,
    ForceReconnect,
    Goodbye,
    Heartbeat,
    Question,
    Reports,
    RollCall,
    SnapshotPart,
    Sync,
    Terminate,
)
from sockudo.websocket.relayed import is_text_frame, is_utf8

EVENT: Final = 1
CACHED_EVENT: Final = 2
HEARTBEAT: Final = 3
DELTA: Final = 4
SNAPSHOT: Final = 5
SYNC: Final = 6
GOODBYE: Final = 7
TERMINATE: Final = 8
ROLL_CALL: Final = 9
APP_CHANGED: Final = 10
REPORTS: Final = 11
FOLLOW: Final = 12
DELIVERED: Final = 13
QUESTION: Final = 14
ECHO: Final = 15
# An event that is the last one of its channel in the cache that all nodes share; a client event is not.
STORED_EVENT: Final = 16
FORCE_RECONNECT: Final = 17

EVENTS: Final = (EVENT, STORED_EVENT)

_BODIES: Final[Mapping[int, type[msgspec.Struct]]] = {
    CACHED_EVENT: EventToCache,
    HEARTBEAT: Heartbeat,
    DELTA: Delta,
    SNAPSHOT: SnapshotPart,
    SYNC: Sync,
    GOODBYE: Goodbye,
    TERMINATE: Terminate,
    ROLL_CALL: RollCall,
    APP_CHANGED: AppChanged,
    REPORTS: Reports,
    FOLLOW: Follow,
    DELIVERED: Delivered,
    QUESTION: Question,
    ECHO: Echo,
    FORCE_RECONNECT: ForceReconnect,
}

ID_BYTES: Final = 8
HEADER_BYTES: Final = 1 + ID_BYTES

# Stands before a context; and the length of a context, `traceparent` in version 00 of W3C's form.
_TRACED: Final = "\0"
_CONTEXT_LENGTH: Final = 55

# Checks a JSON value without building objects.
_skip: Final = msgspec.json.Decoder(msgspec.Raw).decode


class TracedExclusion(str):
    """The id of the socket that must not get an event, empty where there is none, with the context of a trace.

    Code that knows of no traces takes it for the id that it is.
    """

    __slots__ = ("context",)

    context: str


def new_node_id() -> str:
    """Return a random node id: 16 hex digits, new with every start, so that a restarted node is another one."""
    return os.urandom(ID_BYTES).hex()


def header(kind: int, node_id: str) -> bytes:
    """Return the header of one kind of message of a node."""
    return bytes([kind]) + bytes.fromhex(node_id)


def sender(data: bytes) -> str:
    """Return the node id of the sender."""
    return data[1:HEADER_BYTES].hex()


def event_rest(frame: bytes, except_id: str | None) -> bytes:
    """Return the part of an event message after the header."""
    if except_id is None or len(except_id) > 255:
        # No socket id is that long, so such an id excludes nobody.
        return b"\0" + frame
    excluded = except_id.encode("utf-8", "surrogateescape")[:255]
    return bytes([len(excluded)]) + excluded + frame


def parse_event(data: bytes) -> tuple[bytes, str | None]:
    """Return the frame of an event message and the socket id that must not get it."""
    start = HEADER_BYTES + 1
    length = data[HEADER_BYTES]
    if not length:
        return data[start:], None
    end = start + length
    except_id = data[start:end].decode("utf-8", "surrogateescape")
    return data[end:], without_context(except_id) if length > _CONTEXT_LENGTH else except_id


def with_context(context: str, except_id: str | None) -> str:
    """Return what an event message names in the place of a socket id, so that the context of a trace goes with it."""
    return f"{_TRACED}{context}{except_id or ''}"


def without_context(except_id: str | None) -> str | None:
    """Return the socket id alone of what an event message names; it has the context of the trace as an attribute."""
    if except_id is None or not except_id.startswith(_TRACED):
        return except_id
    end = len(_TRACED) + _CONTEXT_LENGTH
    excluded = TracedExclusion(except_id[end:])
    excluded.context = except_id[len(_TRACED) : end]
    return excluded


def parse(data: bytes) -> msgspec.Struct | None:
    """Return the content of a message that is not an event; None if it is malformed."""
    kind = _BODIES.get(data[0]) if data else None
    # The settings of its node limit the length of an event.
    if kind is None or (len(data) > LONGEST_STATE and kind is not EventToCache):
        return None
    try:
        message = msgspec.msgpack.decode(data[HEADER_BYTES:], type=kind)
    except (ValueError, RecursionError):
        # ValueError: of msgspec, and UnicodeDecodeError. RecursionError: nested too deeply.
        return None
    return message if _can_be_told(message) else None


def problem_with(data: bytes) -> str:
    """Say in a few words why `parse` returned None, for a log."""
    if not data or data[0] not in _BODIES:
        return f"kind {data[0] if data else 'none'} is unknown"
    if len(data) > LONGEST_STATE and data[0] != CACHED_EVENT:
        return f"it has {len(data)} bytes, nodes send at most {LONGEST_STATE}"
    return f"a {_BODIES[data[0]].__name__} that no node sends"


def _can_be_told(message: msgspec.Struct) -> bool:
    """Return whether everything of a message that goes to clients is valid text."""
    match message:
        case EventToCache(frame=frame):
            return is_text_frame(frame)
        case Delta(apps=apps) | SnapshotPart(apps=apps):
            states = (state for app in apps.values() for state in app.channels.values() if state.joined)
            return all(is_json(info) for state in states for info in state.joined.values())
    return True


def is_json(data: bytes) -> bool:
    """Return whether bytes are one JSON value in UTF-8."""
    try:
        _skip(data)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return is_utf8(data)
