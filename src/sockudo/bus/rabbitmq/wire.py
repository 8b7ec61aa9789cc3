"""The wire protocol of RabbitMQ (AMQP 0-9-1) without I/O: a parser for what a server sends, and messages as frames.

This module reads and writes messages itself, because they are nearly all that a connection carries; `pamqp` does all
other frames. A message is three kinds of frames: a method with its routing key, a header with its length and its
properties, of which the bus uses the message id, and its body in as many frames as it needs.
See https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from pamqp import base, commands, exceptions, frame, header

from sockudo.bus.broker.chunks import ChunkReader
from sockudo.bus.broker.connection import BadBytesError
from sockudo.bus.broker.pieces import LONGEST_MESSAGE

GREETING: Final = b"AMQP\x00\x00\x09\x01"
HEARTBEAT: Final = b"\x08\x00\x00\x00\x00\x00\x00\xce"
# The one channel that a connection has besides 0, which is for the connection itself.
CHANNEL: Final = 1
# The longest frame, with the eight bytes around its content; servers offer this by default.
LONGEST_FRAME: Final = 128 * 1024
# The longest routing key of AMQP.
LONGEST_KEY: Final = 255

_METHOD, _HEADER, _BODY, _HEARTBEAT = 1, 2, 3, 8
_END: Final = 0xCE
_FRAME: Final = Struct(">BHI")
_HEADER_FRAME: Final = Struct(">BHIHHQHB")
_HEADER_START: Final = Struct(">HHQH")
_DELIVER: Final = bytes((0, 60, 0, 60))
_BASIC: Final = 60
_MESSAGE_ID_ONLY: Final = 0x0080

Message = Callable[[bytes, bytes, bytes, bytes], None]
Method = Callable[[base.Frame], None]


class RabbitParser(ChunkReader):
    """Turns bytes, however they are cut, into calls, in order.

    `message` takes the tag of the consumer, the routing key, the message id (empty if there is none) and the body of
    a message; `method` takes any other frame but heartbeats.
    """

    def __init__(self, message: Message, method: Method) -> None:
        super().__init__()
        self._message = message
        self._method = method
        # The incomplete message: its consumer and key, and the part of its body that has come.
        self._envelope: tuple[bytes, bytes] | None = None
        self._message_id = b""
        self._body: list[bytes] = []
        self._missing = 0
        self._is_too_long = False

    def parse(self, data: bytes) -> tuple[int, int]:
        """Take whole frames."""
        # hot path
        position, length = 0, len(data)
        while length - position >= 7:
            kind, _, size = _FRAME.unpack_from(data, position)
            if size > LONGEST_FRAME or kind > _HEARTBEAT:
                raise BadBytesError("a frame of an unknown kind" if kind > _HEARTBEAT else "a frame that is too long")
            start = position + 7
            stop = start + size
            if stop >= length:
                return position, stop + 1
            if data[stop] != _END:
                raise BadBytesError("a frame that is longer than announced")
            if kind == _BODY:
                self._take_body(data[start:stop])
            elif kind == _HEADER:
                self._take_header(data, start, stop)
            elif kind == _METHOD:
                if data.startswith(_DELIVER, start):
                    self._take_delivery(data, start + 4, stop)
                else:
                    self._method(_unmarshal(data[position : stop + 1]))
            position = stop + 1
        return position, position + 7

    def _take_delivery(self, data: bytes, position: int, stop: int) -> None:
        # A short string each, with its length before it: tag, (ten bytes: delivery tag, redelivered), exchange, key.
        tag_end = position + 1 + data[position]
        exchange_end = tag_end + 10 + data[tag_end + 9] if tag_end + 9 < stop else stop
        if exchange_end >= stop or exchange_end + 1 + data[exchange_end] != stop:
            raise BadBytesError("a delivery that is cut short")
        if self._envelope is not None:
            raise BadBytesError("a message within another")
        self._envelope = data[position + 1 : tag_end], data[exchange_end + 1 : stop]

    def _take_header(self, data: bytes, start: int, stop: int) -> None:
        if self._envelope is None or stop - start < 14:
            raise BadBytesError("a header without a message")
        _, _, size, flags = _HEADER_START.unpack_from(data, start)
        # Only another program sends one. It is skipped, because a new connection would bring it again.
        self._is_too_long = size > LONGEST_MESSAGE
        if flags == _MESSAGE_ID_ONLY:
            self._message_id = data[start + 15 : stop]
        else:
            self._message_id = _message_id(data[start - 7 : stop + 1]) if flags else b""
        self._missing = size
        self._body = []
        if not size:
            self._finish(b"")

    def _take_body(self, part: bytes) -> None:
        missing = self._missing - len(part)
        if self._envelope is None or missing < 0:
            raise BadBytesError("a body without a message")
        self._missing = missing
        if self._is_too_long:
            if not missing:
                self._envelope = None
        elif missing:
            self._body.append(part)
        else:
            self._finish(b"".join((*self._body, part)) if self._body else part)

    def _finish(self, body: bytes) -> None:
        assert self._envelope is not None, "asked before"
        tag, key = self._envelope
        self._envelope = None
        self._body = []
        self._message(tag, key, self._message_id, body)


def publish_frame(exchange: bytes, key: bytes) -> bytes:
    """Return the first frame of a message; it is the same for all of one topic."""
    return _method(b"\x00\x3c\x00\x28\x00\x00%b%b\x00" % (_short(exchange), _short(key)))


def bind_frame(queue: bytes, exchange: bytes, key: bytes) -> bytes:
    """Return the frame that lets messages with a key into a queue; the server does not answer it."""
    return _method(b"\x00\x32\x00\x14\x00\x00%b%b%b\x01\x00\x00\x00\x00" % (*map(_short, (queue, exchange, key)),))


def unbind_frame(queue: bytes, exchange: bytes, key: bytes) -> bytes:
    """Return the frame that keeps messages with a key out of a queue; the server answers it."""
    return _method(b"\x00\x32\x00\x32\x00\x00%b%b%b\x00\x00\x00\x00" % (*map(_short, (queue, exchange, key)),))


def content_frames(message_id: bytes, body: bytes, longest_frame: int) -> bytes:
    """Return the other frames of a message, which the server does not keep on disk."""
    # hot path
    size, length = len(body), len(message_id)
    head = _HEADER_FRAME.pack(_HEADER, CHANNEL, 15 + length, _BASIC, 0, size, _MESSAGE_ID_ONLY, length)
    if 0 < size <= longest_frame - 8:
        return b"%b%b\xce%b%b\xce" % (head, message_id, _FRAME.pack(_BODY, CHANNEL, size), body)
    parts = [head, message_id, b"\xce"]
    step = longest_frame - 8
    for start in range(0, size, step):
        part = body[start : start + step]
        parts += (_FRAME.pack(_BODY, CHANNEL, len(part)), part, b"\xce")
    return b"".join(parts)


def method_frame(method: base.Frame, channel: int = CHANNEL) -> bytes:
    """Return a frame of any other kind."""
    return frame.marshal(method, channel)


def _method(payload: bytes) -> bytes:
    return b"%b%b\xce" % (_FRAME.pack(_METHOD, CHANNEL, len(payload)), payload)


def _short(text: bytes) -> bytes:
    return b"%c%b" % (len(text), text)


def _unmarshal(data: bytes) -> base.Frame:
    try:
        method = frame.unmarshal(data)[2]
    # The library does not catch every error of its decoders.
    except (exceptions.PAMQPException, ValueError, IndexError, KeyError) as error:
        raise BadBytesError("a method that cannot be read") from error
    if not isinstance(method, base.Frame):
        raise BadBytesError("a method that cannot be read")
    return method


def _message_id(data: bytes) -> bytes:
    """Read the message id of a header with other properties too, from another publisher; b"" if it has none."""
    try:
        content = frame.unmarshal(data)[2]
    # A publisher may write anything there, and the library does not catch every error of its decoders.
    except Exception:
        return b""
    properties = content.properties if isinstance(content, header.ContentHeader) else None
    found = properties.message_id if isinstance(properties, commands.Basic.Properties) else None
    return found.encode("utf-8", "replace") if isinstance(found, str) else b""
