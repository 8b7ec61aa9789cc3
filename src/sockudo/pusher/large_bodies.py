"""Checks large bodies of publish requests in short steps; `triggers` checks others at once.

Counts and sizes are checked on the way, and the first one that is too large ends it, before anything has been decoded.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Generator
from typing import Final, TypeVar

import msgspec

from sockudo.pusher.errors import RequestRejected
from sockudo.pusher.json_spans import Bound, JsonSpans, Walk
from sockudo.pusher.query import Query
from sockudo.pusher.surrogates import decode
from sockudo.pusher.triggers import (
    Trigger,
    TriggerLimits,
    batch_too_large,
    check_event,
    check_json,
    data_too_large,
    decode_event,
    fill_event,
    name_too_long,
    too_many_channels,
)

# What is smaller is checked in one go: that takes 4 ms at most.
LARGE: Final = 64 * 1024

_CHUNK: Final = 256 * 1024
# Of socket ids and `info`, which the server makes or knows.
_MAX_TEXT: Final = 1000
# UTF-8 has so many bytes for a character.
_WIDEST: Final = 4

_key_decoder: Final = msgspec.json.Decoder(str)

T = TypeVar("T")
_Steps = Generator[None, None, T]


def trigger_steps(body: bytes, limits: TriggerLimits, query: Query) -> _Steps[Trigger]:
    """Return the event of a `POST /events` body, as `parse_trigger` does.

    Raises:
        RequestRejected: 400, 403 (too many channels) or 413 (data too large).
    """
    yield from _check_text(body)
    spans = JsonSpans(body)
    position = yield from spans.blank(0)
    position = yield from _event(spans, position, limits)
    event = decode_event(spans.taken)
    yield from _check_end(spans, position)
    if query.last:
        fill_event(event, query)
    return check_event(event, limits)


def batch_steps(body: bytes, limits: TriggerLimits) -> _Steps[list[Trigger]]:
    """Return the events of a `POST /batch_events` body, in order, as `parse_batch` does.

    Raises:
        RequestRejected: as for `trigger_steps`, for the first event at fault.
    """
    yield from _check_text(body)
    spans = JsonSpans(body)
    found: list[Trigger] | None = None

    def read(key: str, position: int) -> Walk:
        nonlocal found
        if key != "batch":
            return (yield from _other(spans, position))
        found = []
        return (yield from _events(spans, position, limits, found))

    position = yield from spans.blank(0)
    position = yield from _members(spans, position, read)
    yield from _check_end(spans, position)
    if found is None:
        raise RequestRejected(400, "Invalid request: Object missing required field `batch`")
    return found


def _events(spans: JsonSpans, position: int, limits: TriggerLimits, found: list[Trigger]) -> Walk:
    position = yield from spans.after(position, b"[")
    if spans.at(position) == ord("]"):
        return position + 1
    while True:
        if len(found) == limits.max_batch_size:
            raise batch_too_large(f"more than {len(found)}", limits)
        position = yield from _event(spans, position, limits)
        found.append(check_event(decode_event(spans.taken), limits))
        yield
        is_last, position = yield from spans.is_last(position, b"]")
        if is_last:
            return position


def _event(spans: JsonSpans, position: int, limits: TriggerLimits) -> Walk:
    """Read one event, and keep what matters of it as `taken`."""
    bounds = _bounds(limits)
    parts: dict[str, bytes] = {}

    def read(key: str, position: int) -> Walk:
        if key == "channels":
            yield from _check_count(spans, position, limits)
        elif key not in bounds:
            return (yield from _other(spans, position))
        position = yield from spans.value(position, bounds[key])
        if key in parts:
            # Of equal names the last counts, and the others have to be JSON too.
            check_json(parts[key])
        parts[key] = spans.taken
        return position

    position = yield from _members(spans, position, read)
    spans.taken = b"{%b}" % b",".join([b'"%b":%b' % (key.encode(), value) for key, value in parts.items()])
    return position


def _members(spans: JsonSpans, position: int, read: Callable[[str, int], Walk]) -> Walk:
    """Read an object; `read` reads the value of each of its keys."""
    position = yield from spans.after(position, b"{")
    if spans.at(position) == ord("}"):
        return position + 1
    while True:
        if spans.at(position) != ord('"'):
            raise spans.malformed(position)
        end = yield from spans.value(position)
        # Nobody wants a longer one, and it is checked no more than a long value that nobody wants.
        key = _key(spans.text[position:end]) if end - position <= _CHUNK else ""
        position = yield from spans.after(end, b":")
        position = yield from read(key, position)
        is_last, position = yield from spans.is_last(position, b"}")
        if is_last:
            return position


def _check_count(spans: JsonSpans, position: int, limits: TriggerLimits) -> Walk:
    """Refuse a list of too many channels, or of something too long to be the name of one."""
    if spans.at(position) != ord("["):
        return position
    bound = _bounds(limits)["channel"]
    position = yield from spans.after(position, b"[")
    count = 0
    is_last = spans.at(position) == ord("]")
    while not is_last:
        count += 1
        if count > limits.max_channels:
            raise too_many_channels(f"more than {limits.max_channels}", limits)
        position = yield from spans.value(position, bound)
        is_last, position = yield from spans.is_last(position, b"]")
    return position


def _other(spans: JsonSpans, position: int) -> Walk:
    """Read a value that nobody wants; only a short one is checked whole."""
    end = yield from spans.value(position)
    if end - position <= _CHUNK:
        check_json(spans.text[position:end])
    return end


def _bounds(limits: TriggerLimits) -> dict[str, Bound]:
    """Return how large the parts of an event may be; what is smaller is checked exactly when it has been decoded."""
    name, channel = limits.max_name_length, limits.max_channel_name_length
    of_name = Bound(name * _WIDEST + 2, lambda size: name_too_long(f"at least {size // _WIDEST}", limits))
    of_channel = Bound(channel * _WIDEST + 2, lambda size: _channel_too_long(size, limits))
    text = Bound(_MAX_TEXT, _text_too_long)
    return {
        "name": of_name,
        "data": Bound(limits.max_payload_bytes + 2, lambda size: data_too_large(f"at least {size}", limits)),
        "channels": Bound((channel * _WIDEST + 3) * limits.max_channels + 2, _text_too_long),
        "channel": of_channel,
        "socket_id": text,
        "info": text,
    }


def _channel_too_long(size: int, limits: TriggerLimits) -> RequestRejected:
    return RequestRejected(
        400,
        f"Channel name too long: at least {size // _WIDEST} characters, the limit is {limits.max_channel_name_length} "
        "(max_channel_name_length of the app, or channel_limits.max_name_length)",
    )


def _text_too_long(size: int) -> RequestRejected:
    return RequestRejected(400, f"Invalid request: a field has at least {size} bytes; 'socket_id' and 'info' are short")


def _check_text(body: bytes) -> Generator[None, None, None]:
    """Refuse what is not UTF-8: parts of a body go into frames as they came."""
    if body.isascii():
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(body), _CHUNK):
            decoder.decode(body[start : start + _CHUNK])
            yield
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as problem:
        raise RequestRejected(400, f"Invalid request: {problem}"[:200]) from None


def _check_end(spans: JsonSpans, position: int) -> Generator[None, None, None]:
    position = yield from spans.blank(position)
    if position < len(spans.text):
        raise spans.malformed(position)


def _key(literal: bytes) -> str:
    try:
        return decode(_key_decoder, literal)
    except msgspec.MsgspecError as problem:
        raise RequestRejected(400, f"Invalid request: {str(problem)[:200]}") from None
