"""Parses and checks the bodies of publish requests.

A body is checked whole before anything of it is published, so that a call or a batch goes out entirely or not at all.

Source: Pusher docs, `library_auth_reference/rest-api` ("POST event", "POST batch events").
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeVar

import msgspec

from sockudo.pusher.channels import ChannelKind, InvalidChannelName, parse_channel
from sockudo.pusher.errors import RequestRejected
from sockudo.pusher.events import json_text
from sockudo.pusher.query import Query
from sockudo.pusher.surrogates import decode

INFO_ATTRIBUTES: Final = frozenset({"user_count", "subscription_count", "occupied", "cache"})

_MAX_INFO: Final = 1000


class TriggerLimits(msgspec.Struct, frozen=True, gc=False):
    """What one app may publish: counts, lengths in characters, sizes in bytes."""

    max_channels: int
    max_name_length: int
    max_payload_bytes: int
    max_batch_size: int
    max_channel_name_length: int


class Target(NamedTuple):
    """A channel that an event goes to."""

    name: str
    kind: ChannelKind


class Trigger(msgspec.Struct, frozen=True, gc=False):
    """One event to publish.

    Attributes:
        name: its name as a JSON string literal.
        data: its data as a JSON string literal; what was not a string has been encoded to one.
        targets: its channels, each once, in the order given.
        socket_id: the connection that must not get it, or None.
        info: which attributes of the channels the answer tells.
    """

    name: bytes
    data: bytes
    targets: tuple[Target, ...]
    socket_id: str | None
    info: frozenset[str]


class EventBody(msgspec.Struct, gc=False):
    """An event as it comes, before it is checked."""

    name: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"")
    channels: list[str] | None = None
    channel: str | None = None
    socket_id: str | None = None
    info: str | None = None


class _Batch(msgspec.Struct, gc=False):
    batch: list[EventBody]


_T = TypeVar("_T")

_event_decoder: Final = msgspec.json.Decoder(EventBody)
_batch_decoder: Final = msgspec.json.Decoder(_Batch)
_raw_decoder: Final = msgspec.json.Decoder(msgspec.Raw)
_decode_text: Final = msgspec.json.Decoder(str).decode


def parse_trigger(body: bytes, limits: TriggerLimits, query: Query | None = None) -> Trigger:
    """Return the event of a `POST /events` body; parameters that it lacks are taken from the query.

    Raises:
        RequestRejected: 400, 403 (too many channels) or 413 (data too large).
    """
    event = _decode(_event_decoder, body) if body or query is None else EventBody()
    if query is not None and query.last:
        fill_event(event, query)
    return check_event(event, limits)


def parse_batch(body: bytes, limits: TriggerLimits) -> list[Trigger]:
    """Return the events of a `POST /batch_events` body, in order.

    Raises:
        RequestRejected: as for `parse_trigger`, for the first event at fault.
    """
    events = _decode(_batch_decoder, body).batch
    if len(events) > limits.max_batch_size:
        raise batch_too_large(str(len(events)), limits)
    return [check_event(event, limits) for event in events]


def parse_raw_trigger(body: bytes, channel: str, query: Query, limits: TriggerLimits) -> Trigger:
    """Return the event of the deprecated `POST /channels/CHANNEL/events`: the body is the data, the rest the query.

    Raises:
        RequestRejected: as for `parse_trigger`, and 400 for a body that is not UTF-8.
    """
    if len(body) > limits.max_payload_bytes:
        raise data_too_large(str(len(body)), limits)
    try:
        data = body.decode()
    except UnicodeDecodeError:
        raise RequestRejected(400, "Invalid request: the body is not valid UTF-8") from None
    event = EventBody(
        name=_text(query, "name"),
        data=msgspec.Raw(json_text(data)),
        channel=channel,
        socket_id=query.last.get("socket_id"),
    )
    return check_event(event, limits)


def parse_info(text: str | None) -> frozenset[str]:
    """Return the known attributes of a comma-separated `info`; unknown ones are ignored.

    Raises:
        RequestRejected: 400, the text is too long.
    """
    if not text:
        return frozenset()
    if len(text) > _MAX_INFO:
        raise RequestRejected(
            400, f"Invalid request: 'info' of {len(text)} characters exceeds the limit of {_MAX_INFO}"
        )
    return frozenset(part.strip() for part in text.split(",")) & INFO_ATTRIBUTES


def decode_event(body: bytes) -> EventBody:
    """Return an event as it comes.

    Raises:
        RequestRejected: 400, the body is no such JSON.
    """
    return _decode(_event_decoder, body)


def check_json(text: bytes) -> None:
    """Refuse a text that is no JSON.

    Raises:
        RequestRejected: 400.
    """
    _decode(_raw_decoder, text)


def _decode(decoder: msgspec.json.Decoder[_T], body: bytes) -> _T:
    try:
        # Raw values are not looked at by the decoder, and must not carry other encodings into frames.
        if not body.isascii():
            body.decode()
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _mended(decoder, body)


def _mended(decoder: msgspec.json.Decoder[_T], body: bytes) -> _T:
    """Decode what is only at fault by half a surrogate pair; refuse everything else."""
    try:
        if not body.isascii():
            body.decode()
        return decode(decoder, body)
    except RecursionError:
        raise RequestRejected(400, "Invalid request: the JSON body is nested too deeply") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        raise RequestRejected(400, f"Invalid request: {str(problem)[:200]}") from None


def fill_event(event: EventBody, query: Query) -> None:
    """Take from the query what the body does not have: `name=`, `data=`, `channel=`, `channels[]=` ..."""
    params = query.last
    if event.name is None:
        event.name = _text(query, "name")
    if not bytes(event.data) and "data" in params:
        event.data = msgspec.Raw(json_text(_text(query, "data")))
    if event.channels is None and event.channel is None:
        event.channels = query.values("channels[]") or None
        event.channel = params.get("channel")
    event.socket_id = event.socket_id or params.get("socket_id")
    event.info = event.info or params.get("info")


def _text(query: Query, name: str) -> str | None:
    """Return a parameter that goes into frames; bytes of the query that are not UTF-8 are in it as lone surrogates."""
    value = query.last.get(name)
    if value is not None and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise RequestRejected(400, f"Invalid request: query parameter '{name}' is not valid UTF-8") from None
    return value


def check_event(event: EventBody, limits: TriggerLimits) -> Trigger:
    """Return an event that may be published.

    Raises:
        RequestRejected: 400, 403 (too many channels) or 413 (data too large).
    """
    name = event.name
    if not name:
        raise RequestRejected(400, "Invalid request: 'name' field is required.")
    if len(name) > limits.max_name_length:
        raise name_too_long(str(len(name)), limits)
    data = _data_literal(bytes(event.data), limits)
    targets = _targets(event, limits)
    return Trigger(json_text(name), data, targets, event.socket_id, parse_info(event.info))


def _data_literal(raw: bytes, limits: TriggerLimits) -> bytes:
    if not raw:
        raise RequestRejected(400, "Invalid request: 'data' field is required.")
    try:
        if raw[0] == 0x22:
            text = _decode_text(raw)
            if raw.isascii() and b"\\" not in raw:
                # Its characters are its bytes, and it is its own literal.
                return _within(raw, len(text), limits)
            size = len(text.encode())
        else:
            text = json_text(msgspec.json.decode(raw)).decode()
            size = len(text.encode())
    except RecursionError:
        raise RequestRejected(400, "Invalid request: 'data' is nested too deeply") from None
    except msgspec.MsgspecError as problem:
        raise RequestRejected(400, f"Invalid request: 'data': {str(problem)[:200]}") from None
    return _within(json_text(text), size, limits)


def _within(literal: bytes, size: int, limits: TriggerLimits) -> bytes:
    if size > limits.max_payload_bytes:
        raise data_too_large(str(size), limits)
    return literal


def _targets(event: EventBody, limits: TriggerLimits) -> tuple[Target, ...]:
    names = event.channels
    if not names:
        if event.channel is None:
            raise RequestRejected(400, "Request must contain 'channels' (list) or 'channel' (string)")
        names = [event.channel]
    if len(names) > limits.max_channels:
        raise too_many_channels(str(len(names)), limits)
    longest = limits.max_channel_name_length
    try:
        if len(names) == 1:
            return (Target(names[0], parse_channel(names[0], longest)),)
        return tuple([Target(name, parse_channel(name, longest)) for name in dict.fromkeys(names)])
    except InvalidChannelName as problem:
        raise RequestRejected(400, str(problem)) from None


# `how_many` and `size` are texts, because what is certainly too much is not counted to its end.


def batch_too_large(how_many: str, limits: TriggerLimits) -> RequestRejected:
    """Return the refusal of too many events in one batch; it begins as Pusher's does."""
    return RequestRejected(
        400,
        f"Batch too large: {how_many} events exceed the limit of {limits.max_batch_size} "
        "(max_event_batch_size of the app, or event_limits.max_batch_size)",
    )


def data_too_large(size: str, limits: TriggerLimits) -> RequestRejected:
    """Return the refusal of data of too many bytes; it begins as Pusher's does."""
    return RequestRejected(
        413,
        f"The data content of this event exceeds the allowed maximum: {size} bytes exceed the limit of "
        f"{limits.max_payload_bytes} bytes (max_event_payload_in_kb of the app, or event_limits.max_payload_in_kb)",
    )


def name_too_long(size: str, limits: TriggerLimits) -> RequestRejected:
    """Return the refusal of an event name of too many characters."""
    return RequestRejected(
        400,
        f"Event name of {size} characters exceeds the limit of {limits.max_name_length} "
        "(max_event_name_length of the app, or event_limits.max_name_length)",
    )


def too_many_channels(how_many: str, limits: TriggerLimits) -> RequestRejected:
    """Return the refusal of too many channels in one call."""
    return RequestRejected(
        403,
        f"Publishing to {how_many} channels at once exceeds the limit of {limits.max_channels} "
        "(max_event_channels_at_once of the app, or event_limits.max_channels_at_once)",
    )
