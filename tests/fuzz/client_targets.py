"""What a fuzzer calls with the bytes of clients and back ends. What must never happen raises."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from ipaddress import ip_address
from typing import TypeVar

from sockudo.pusher.commands import ClientEvent, parse_command
from sockudo.pusher.errors import CommandRejected, RequestRejected
from sockudo.pusher.large_bodies import batch_steps, trigger_steps
from sockudo.pusher.query import Query, parse_query
from sockudo.pusher.triggers import (
    Trigger,
    TriggerLimits,
    parse_batch,
    parse_raw_trigger,
    parse_trigger,
)
from sockudo.server.accepting.proxy_header import MAX_BYTES, ProxyHeader, ProxyHeaderError, begins_header
from sockudo.websocket.extensions import negotiate
from sockudo.websocket.frames import FrameReader
from sockudo.websocket.handshake import HandshakeError
from sockudo.websocket.inflating import InflatingReader
from tests.fakes.http_socket import HttpSocket
from tests.fuzz.inputs import pieces

_T = TypeVar("_T")

_LONGEST_MESSAGE = 3000
_LONGEST_BODY = 600
_LIMITS = TriggerLimits(
    max_channels=3, max_name_length=20, max_payload_bytes=200, max_batch_size=3, max_channel_name_length=30
)


def http(data: bytes) -> None:
    """Feed a socket with requests in pieces: it answers or refuses, and cuts make no difference."""
    parts = pieces(data)
    whole, cut = HttpSocket(_LONGEST_BODY), HttpSocket(_LONGEST_BODY)
    cut.feed(*(part for part in parts if part))
    if joined := b"".join(parts):
        whole.feed(joined)
    answers = cut.transport.read()
    assert answers.startswith(b"HTTP/1.1 ") or not answers
    assert answers == whole.transport.read()
    assert cut.asked == whole.asked
    assert cut.is_finished == whole.is_finished


def websocket(data: bytes) -> None:
    """Feed a reader with frames in pieces: cuts make no difference, and no message is above the limit."""
    parts = pieces(data)
    whole, cut = FrameReader(_LONGEST_MESSAGE), FrameReader(_LONGEST_MESSAGE)
    messages = [message for part in parts for message in cut.feed(part)]
    assert messages == whole.feed(b"".join(parts))
    assert _verdict(cut) == _verdict(whole)
    assert all(len(payload) <= _LONGEST_MESSAGE for _, payload in messages)


def compression(data: bytes) -> None:
    """Feed a reader that inflates with frames in pieces, as `websocket` does."""
    parts = pieces(data)
    whole, cut = InflatingReader(_LONGEST_MESSAGE), InflatingReader(_LONGEST_MESSAGE)
    messages = [message for part in parts for message in _inflated(cut, part)]
    assert messages == _inflated(whole, b"".join(parts))
    assert _verdict(cut) == _verdict(whole)
    assert all(len(payload) <= _LONGEST_MESSAGE for _, payload in messages)


def _inflated(reader: InflatingReader, data: bytes) -> list[tuple[int, bytes]]:
    messages = reader.feed(data)
    while reader.is_behind:
        messages += reader.feed(b"")
    return messages


def extensions(data: bytes) -> None:
    """Negotiate on a header: it is agreed on, declined or refused, and what is agreed on is one extension."""
    try:
        agreement = negotiate(data)
    except HandshakeError:
        return
    if agreement is not None:
        assert agreement == negotiate(agreement.answer)


def _verdict(reader: FrameReader) -> tuple[int, str] | None:
    return None if reader.error is None else (reader.error.close_code, reader.error.reason)


def proxy_headers(data: bytes) -> None:
    """Read a PROXY header in pieces: it names an address or is refused, cuts make no difference, the rest is left."""
    parts = pieces(data)
    begun = b"".join(parts)
    whole, error = _header([begun])
    cut, cut_error = _header(parts)
    assert (whole.is_complete, whole.client) == (cut.is_complete, cut.client)
    assert (error is None) == (cut_error is None)
    if whole.client is not None:
        ip_address(whole.client)
    if whole.is_complete:
        assert begins_header(begun)
    elif error is None:
        # More bytes may come only where a header can still be complete.
        assert len(begun) <= MAX_BYTES


def _header(parts: Sequence[bytes]) -> tuple[ProxyHeader, str | None]:
    """Return what was read of these pieces, and why no more was."""
    header = ProxyHeader()
    for part in parts:
        if header.is_complete:
            break
        try:
            taken = header.take(part)
        except ProxyHeaderError as refused:
            return header, str(refused)
        assert 0 <= taken <= len(part)
        assert taken == len(part) or header.is_complete
    return header, None


def commands(data: bytes) -> None:
    """Parse a message of a client: it is a command or refused, and what is relayed is JSON in UTF-8."""
    try:
        command = parse_command(data)
    except CommandRejected:
        return
    if isinstance(command, ClientEvent) and command.data:
        json.loads(command.data.decode())


def triggers(data: bytes) -> None:
    """Parse a body of a back end in every way: it is an event or refused, and small and large bodies agree."""
    query, _, body = data.partition(b"\n")
    text = query.decode("utf-8", "replace")
    _outcome(lambda: parse_trigger(body, _LIMITS, parse_query(text)))
    _outcome(lambda: parse_raw_trigger(body, "news", parse_query("name=n&" + text), _LIMITS))
    none = Query({}, {})
    _agree(_outcome(lambda: parse_trigger(body, _LIMITS)), _outcome(lambda: _done(trigger_steps(body, _LIMITS, none))))
    _agree(_outcome(lambda: parse_batch(body, _LIMITS)), _outcome(lambda: _done(batch_steps(body, _LIMITS))))


def _done(steps: Generator[None, None, _T]) -> _T:
    while True:
        try:
            next(steps)
        except StopIteration as stopped:
            result: _T = stopped.value
            return result


def _outcome(call: Callable[[], Trigger | list[Trigger]]) -> Trigger | list[Trigger] | int:
    try:
        return call()
    except RequestRejected as refused:
        status = refused.status
    assert status in (400, 403, 413), status
    return status


def _agree(small: object, large: object) -> None:
    """Check that both took the same, or refused it: of several faults, each tells the one that it meets first."""
    assert small == large or (isinstance(small, int) and isinstance(large, int)), (small, large)
