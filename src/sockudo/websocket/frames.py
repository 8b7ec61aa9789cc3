"""WebSocket frames (RFC 6455, sections 5 to 8): encodes frames, and parses incoming bytes into messages.

Rules
    Server side only: frames we send are never masked, frames we read must be.
    No extension and no subprotocol is negotiated, so every reserved bit and opcode is a violation; where compression
    is, `inflating.py` takes over.
    Nothing here knows about sockets, time or what a message means.

Strategy
    Nearly everything a client sends is one short text frame that arrives whole. `FrameReader.feed` recognises exactly
    that, touches the bytes in place and keeps nothing. Everything else (control frames, several frames at once,
    fragments, half a frame) goes to an `FrameAssembler`, which exists only while something is incomplete. So an idle
    connection owns a `FrameReader` with three attributes and no buffer.

    Every verdict depends on the bytes alone and never on how the transport cut them into pieces: a header is judged
    as soon as its bytes are there, a payload when its frame is complete.
"""

from __future__ import annotations

import codecs
import struct
from typing import Final

from sockudo.websocket.masking import unmask

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

_OPCODES: Final = frozenset((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG))
_FIN: Final = 0x80
_MASKED: Final = 0x80
_MAX_CONTROL_PAYLOAD: Final = 125

_PROTOCOL_ERROR: Final = 1002
_INVALID_PAYLOAD: Final = 1007
_TOO_BIG: Final = 1009

# Close codes below 3000 that may stand in a close frame: 7.4.1, and 1012 to 1014, which IANA registered later.
# 1004, 1005, 1006 and 1015 are reserved, the rest is unassigned; 3000 to 4999 belong to libraries and applications.
_ASSIGNED_CLOSE_CODES: Final = frozenset((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014))

_SHORT_TEXT_HEADERS: Final = tuple(bytes((_FIN | TEXT, length)) for length in range(126))
_header_with_16_bits: Final = struct.Struct("!BBH").pack
_header_with_64_bits: Final = struct.Struct("!BBQ").pack

_from_bytes: Final = int.from_bytes


class FrameError(Exception):
    """What the peer sent is not WebSocket, or more than we take; the connection must be failed with `close_code`.

    `close_code` is 1002 (protocol), 1007 (text that is not UTF-8) or 1009 (too big). `reason` fits a close frame.
    """

    def __init__(self, close_code: int, reason: str) -> None:
        super().__init__(reason)
        self.close_code = close_code
        self.reason = reason


def text_frame(payload: bytes) -> bytes:
    """Return the unmasked text frame that carries `payload`, which must be UTF-8."""
    # hot path: 0.1 us for a short payload, from a table of the 126 possible headers
    length = len(payload)
    if length < 126:
        return _SHORT_TEXT_HEADERS[length] + payload
    if length < 0x10000:
        return _header_with_16_bits(0x81, 126, length) + payload
    return _header_with_64_bits(0x81, 127, length) + payload


def payload_of(frame: bytes) -> bytes:
    """Return the payload of a whole frame as `text_frame` makes it."""
    length = frame[1]
    return frame[2:] if length < 126 else frame[4:] if length == 126 else frame[10:]


def encode_frame(opcode: int, payload: bytes = b"") -> bytes:
    """Return a whole message as one unmasked frame (5.1: a server MUST NOT mask)."""
    if opcode not in _OPCODES or opcode == CONTINUATION:
        raise ValueError(f"opcode {opcode:#x} does not begin a message")
    length = len(payload)
    if opcode >= CLOSE and length > _MAX_CONTROL_PAYLOAD:
        raise ValueError(f"a control frame carries at most 125 bytes, not {length}")  # 5.5
    # 5.2: "the minimal number of bytes MUST be used to encode the length"
    if length < 126:
        return bytes((_FIN | opcode, length)) + payload
    if length < 0x10000:
        return _header_with_16_bits(_FIN | opcode, 126, length) + payload
    return _header_with_64_bits(_FIN | opcode, 127, length) + payload


def close_frame(code: int | None = None, reason: str = "") -> bytes:
    """Return a close frame; a reason that is too long is cut between two characters."""
    if code is None:
        if reason:
            raise ValueError("a reason needs a code before it")  # 5.5.1
        return encode_frame(CLOSE)
    if not _may_be_sent(code):
        raise ValueError(f"{code} is not a code for a close frame")  # 7.4
    text = reason.encode("utf-8", "replace")
    room = _MAX_CONTROL_PAYLOAD - 2
    if len(text) > room:
        # The cut may leave the first bytes of a character behind; decoding with "ignore" drops exactly those.
        text = text[:room].decode("utf-8", "ignore").encode()
    return encode_frame(CLOSE, code.to_bytes(2, "big") + text)


def parse_close(payload: bytes) -> tuple[int | None, str]:
    """Return the code and the reason in the payload of a close frame; raise `FrameError` if it breaks a rule."""
    if not payload:
        return None, ""
    if len(payload) == 1:
        raise FrameError(_PROTOCOL_ERROR, "close frame with half a code")  # 5.5.1
    code = _from_bytes(payload[:2], "big")
    if not _may_be_sent(code):
        raise FrameError(_PROTOCOL_ERROR, f"close code {code} is not allowed")  # 7.4
    text = payload[2:]
    if not _is_utf8(text):
        raise FrameError(_INVALID_PAYLOAD, "close reason is not UTF-8")  # 8.1
    return code, text.decode()


def _may_be_sent(code: int) -> bool:
    return code in _ASSIGNED_CLOSE_CODES or 3000 <= code <= 4999


def _is_utf8(payload: bytes) -> bool:
    # An answer rather than an exception: a UnicodeDecodeError that escapes would keep the whole payload alive.
    if payload.isascii():
        return True
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


class FrameReader:
    """Turns what one client sends into messages."""

    __slots__ = ("_assembler", "_max_message_bytes", "error")

    def __init__(self, max_message_bytes: int) -> None:
        self.error: FrameError | None = None
        self._max_message_bytes = max_message_bytes
        self._assembler: FrameAssembler | None = None

    @property
    def missing(self) -> int:
        """How much is still to come of the payload of a frame that has begun."""
        return 0 if self._assembler is None else self._assembler.missing

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return every message that `data` completes, in order, as (TEXT | BINARY | PING | PONG | CLOSE, payload).

        Never raises. After a violation `error` is set, the messages before it are still returned, and later input is
        ignored. After a CLOSE, whose payload `parse_close` accepts, later input is ignored too (5.5.1).
        """
        # hot path: 0.4 us for a text frame of 120 bytes with a zero key, 0.9 with another
        if self._assembler is None:
            size = len(data)
            # One whole text frame with FIN and mask: 6 bytes of header before a 7-bit length, 8 before a 16-bit one.
            if 6 <= size < 132:
                start = 6 if data[0] == 0x81 and data[1] == size + 122 else 0
            elif 134 <= size < 0x10008:
                start = 8 if data[0] == 0x81 and data[1] == 0xFE and data[2] << 8 | data[3] == size - 8 else 0
            else:
                start = 0
            if start and size - start <= self._max_message_bytes:
                payload = unmask(data[start:], data[start - 4 : start])
                # Text that is not UTF-8 goes the long way below, where it becomes the error.
                if payload.isascii() or _is_utf8(payload):
                    return [(TEXT, payload)]
        return self._feed_in_parts(data)

    def _feed_in_parts(self, data: bytes) -> list[tuple[int, bytes]]:
        assembler = self._assembler or FrameAssembler(self._max_message_bytes)
        messages: list[tuple[int, bytes]] = []
        try:
            assembler.feed(data, messages)
        except FrameError as error:
            assembler.end()
            # The traceback would tie error, stack and reader into a cycle that holds `data`.
            self.error = error.with_traceback(None)
        self._assembler = None if assembler.is_empty else assembler
        return messages


class FrameAssembler:
    """The reader's state while a header, a frame or a fragmented message is incomplete, and after the end.

    Three stages, each empty or not: `_head` is a header without its last bytes; `_body` is the masked payload of the
    frame whose header is known; `_message` is what earlier fragments of a message brought, unmasked. No stage is
    parsed or copied again when more bytes arrive, and none keeps anything per fragment.
    """

    __slots__ = ("_body", "_decoder", "_ended", "_first", "_head", "_key", "_message", "_opcode", "_room", "missing")

    # What has arrived is not worked off, and later frames wait behind it; so it is never without compression.
    is_behind = False

    def __init__(self, max_message_bytes: int) -> None:
        self._ended = False
        self._head = b""
        self._first = 0  # the first byte of the frame whose payload is arriving
        self._key = b""  # its masking key; empty while no payload is arriving
        self.missing = 0  # how much of its payload is still to come
        self._body: bytearray | None = None
        self._opcode = CONTINUATION  # of the fragmented message; CONTINUATION while there is none
        self._message = bytearray()
        self._decoder: codecs.IncrementalDecoder | None = None
        self._room = max_message_bytes  # how much the fragmented message, or the next one, may still grow

    @property
    def is_empty(self) -> bool:
        """Whether nothing is held."""
        return not (self._head or self._key or self._ended) and self._opcode == CONTINUATION

    def end(self) -> None:
        """Drop everything held and ignore all that follows."""
        self._ended = True
        self._head = self._key = b""
        self._body = self._decoder = None
        self._message = bytearray()

    def feed(self, data: bytes, messages: list[tuple[int, bytes]]) -> None:
        """Append every message that `data` completes to `messages`; raise `FrameError` at the first violation."""
        position = 0
        if self._head:
            data = self._head + data
            self._head = b""
        size = len(data)
        while position < size and not self._ended:
            if not self._key:
                start = self._read_header(data, position)
                if not start:
                    self._head = data[position:]
                    return
                position = start
            end = min(position + self.missing, size)
            self.missing -= end - position
            if self.missing:
                if self._body is None:
                    self._body = bytearray()
                self._body += data[position:end]
                return
            self._finish_frame(data[position:end], messages)
            position = end
            if self.is_behind:
                self._head = data[position:]
                return

    def _read_header(self, data: bytes, position: int) -> int:
        """Judge the header at `position` and return where its payload starts; 0 if it is incomplete."""
        available = len(data) - position
        if available < 2:
            return 0
        first, second = data[position], data[position + 1]
        self._check(first, second)
        length = second & 0x7F
        start = position + 2
        if length >= 126:
            width = 2 if length == 126 else 8
            if available < 2 + width:
                return 0
            length = _extended_length(data[start : start + width])
            start += width
        # Decided here, before a byte of the payload is kept (10.4).
        if first & 0x0F < CLOSE and length > self._room_for(first):
            raise FrameError(_TOO_BIG, "message is too big")
        if len(data) < start + 4:
            return 0
        self._first = first
        self.missing = length
        self._key = data[start : start + 4]
        return start + 4

    def _check(self, first: int, second: int) -> None:
        """Apply every rule on the first two bytes of a frame (5.2, 5.4, 5.5)."""
        opcode = first & 0x0F
        if self._has_wrong_bit(first):
            # 5.2: "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values"
            raise FrameError(_PROTOCOL_ERROR, "reserved bit is set")
        if opcode not in _OPCODES:
            raise FrameError(_PROTOCOL_ERROR, f"unknown opcode {opcode:#x}")
        if not second & _MASKED:
            # 5.1: "The server MUST close the connection upon receiving a frame that is not masked"
            raise FrameError(_PROTOCOL_ERROR, "frame is not masked")
        if opcode >= CLOSE:
            # 5.5: "All control frames MUST have a payload length of 125 bytes or less and MUST NOT be fragmented"
            if not first & _FIN:
                raise FrameError(_PROTOCOL_ERROR, "control frame is fragmented")
            if second & 0x7F > _MAX_CONTROL_PAYLOAD:
                raise FrameError(_PROTOCOL_ERROR, "control frame is too long")
        elif opcode == CONTINUATION:
            if self._opcode == CONTINUATION:
                raise FrameError(_PROTOCOL_ERROR, "continuation without a message")
        elif self._opcode != CONTINUATION:
            # 5.4: "The fragments of one message MUST NOT be interleaved between the fragments of another message"
            raise FrameError(_PROTOCOL_ERROR, "message inside a fragmented message")

    def _has_wrong_bit(self, first: int) -> bool:
        return bool(first & 0x70)

    def _room_for(self, first: int) -> int:
        """Return how long the payload of a data frame may be."""
        return self._room

    def _finish_frame(self, rest: bytes, messages: list[tuple[int, bytes]]) -> None:
        """Take the frame whose last bytes are `rest`."""
        if self._body is not None:
            self._body += rest
            rest = bytes(self._body)
            self._body = None
        payload = unmask(rest, self._key)
        self._key = b""
        opcode = self._first & 0x0F
        if opcode >= CLOSE:
            if opcode == CLOSE:
                parse_close(payload)
                self.end()
            messages.append((opcode, payload))
        else:
            self._take_data(opcode, payload, messages)

    def _take_data(self, opcode: int, payload: bytes, messages: list[tuple[int, bytes]]) -> None:
        """Take the payload of a data frame, unmasked."""
        is_last = bool(self._first & _FIN)
        if opcode != CONTINUATION and is_last:
            if opcode == TEXT and not _is_utf8(payload):
                raise FrameError(_INVALID_PAYLOAD, "text is not UTF-8")
            messages.append((opcode, payload))
        else:
            self._add_fragment(opcode, payload, is_last=is_last)
            if is_last:
                messages.append(self._finish_message())

    def _add_fragment(self, opcode: int, payload: bytes, *, is_last: bool) -> None:
        if opcode != CONTINUATION:
            self._opcode = opcode
            if opcode == TEXT:
                self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._room -= len(payload)
        self._message += payload
        if self._decoder is not None and not _continues_utf8(self._decoder, payload, is_last):
            raise FrameError(_INVALID_PAYLOAD, "text is not UTF-8")

    def _finish_message(self) -> tuple[int, bytes]:
        message = self._opcode, bytes(self._message)
        self._room += len(self._message)
        self._opcode = CONTINUATION
        self._message = bytearray()
        self._decoder = None
        return message


def _extended_length(field: bytes) -> int:
    """Return the length in the 2 or 8 bytes after the first two (5.2)."""
    length = _from_bytes(field, "big")
    if length >> 63:
        raise FrameError(_PROTOCOL_ERROR, "length has its top bit set")  # "the most significant bit MUST be 0"
    if length < (126 if len(field) == 2 else 0x10000):
        # "in all cases, the minimal number of bytes MUST be used to encode the length"
        raise FrameError(_PROTOCOL_ERROR, "length is not minimal")
    return length


def _continues_utf8(decoder: codecs.IncrementalDecoder, fragment: bytes, is_last: bool) -> bool:
    # 8.1 and 5.4: a character may be split between fragments, so the text is judged as it grows, not in pieces.
    try:
        decoder.decode(fragment, is_last)
    except UnicodeDecodeError:
        return False
    # The decoder waits for the third byte of a surrogate (its "surrogatepass" needs it), which nothing can make valid.
    pending = decoder.getstate()[0]
    return not (pending[:1] == b"\xed" and pending[1:] >= b"\xa0")
