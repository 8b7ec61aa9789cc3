"""Reads messages of a client with which `permessage-deflate` was negotiated (RFC 7692, section 7.2.2).

Rules
    Each message is inflated by itself (`client_no_context_takeover`), so a socket keeps nothing between two of them.
    RSV1 says that a message is compressed. It stands in the first frame of a message; in a control frame or a
    continuation it is a violation (section 6), as are RSV2 and RSV3 everywhere. A message may also come as it is.
    No more is inflated than a message may be long: what would be longer is refused (1009) at that point. What is no
    DEFLATE data, or ends in the middle of a block, is refused as an invalid payload (1007).

Strategy
    Inflating happens frame by frame, in chunks, and one `feed` inflates `SLICE` bytes or little more. If that does not
    suffice, the reader `is_behind`, everything that follows waits in it, and each further `feed`, of nothing too, goes
    on. The protocol feeds no bytes meanwhile, so a reader holds no more than came in one read. A chunk does not depend
    on the slices, so neither does a verdict.
"""

from __future__ import annotations

import zlib
from typing import Final

from sockudo.websocket.frames import CLOSE, CONTINUATION, FrameAssembler, FrameError, FrameReader

SLICE: Final = 128 * 1024

_CHUNK: Final = 64 * 1024
_INVALID_PAYLOAD: Final = 1007
_TOO_BIG: Final = 1009
_FIN: Final = 0x80
_RSV1: Final = 0x40
_OTHER_BITS: Final = 0x30
# What the sender has cut off the end of a message (7.2.1), and a last block that is empty. Where the data end with a
# block, as they must, it ends the stream.
_TAIL: Final = b"\0\0\xff\xff\x03\0"
# A sender may end the stream inside a message and begin another one (7.2.3.4). Few do, and none so often.
_MOST_STREAMS: Final = 64


class InflatingReader(FrameReader):
    """Turns what one client sends into messages, inflated.

    Attributes:
        saved: by how much the messages since the start were longer than what came for them.
    """

    __slots__ = ("_is_skimming", "saved")

    def __init__(self, max_message_bytes: int) -> None:
        super().__init__(max_message_bytes)
        self.saved = 0
        self._is_skimming = False

    @property
    def is_behind(self) -> bool:
        """Whether the next `feed` goes on with what is there."""
        return self._assembler is not None and self._assembler.is_behind

    def skim(self) -> None:
        """Inflate and return no message any more; only control frames still matter."""
        self._is_skimming = True
        if isinstance(self._assembler, _InflatingAssembler):
            self._assembler.skim()

    def _feed_in_parts(self, data: bytes) -> list[tuple[int, bytes]]:
        assembler = self._assembler
        if not isinstance(assembler, _InflatingAssembler):
            assembler = self._assembler = _InflatingAssembler(self._max_message_bytes, is_skimming=self._is_skimming)
        messages = super()._feed_in_parts(data)
        self.saved += assembler.saved
        assembler.saved = 0
        return messages


class _InflatingAssembler(FrameAssembler):
    """An `FrameAssembler` that inflates.

    The inflated part of a message is kept as the fragments of a plain one are. `_packed` is what is left to inflate of
    a frame that has come; None where nothing is.
    """

    __slots__ = (
        "_came",
        "_inflater",
        "_is_last",
        "_is_skimming",
        "_max_packed",
        "_packed",
        "_slice",
        "_streams",
        "is_behind",
        "saved",
    )

    def __init__(self, max_message_bytes: int, *, is_skimming: bool) -> None:
        super().__init__(max_message_bytes)
        self.is_behind = False
        self.saved = 0
        self._is_skimming = is_skimming
        self._slice = SLICE  # how much this `feed` may still inflate
        # Data that do not compress grow by some bytes for each block of kilobytes.
        self._max_packed = max_message_bytes + max_message_bytes // 64 + 64
        self._came = 0  # bytes of the payloads of the compressed message
        self._inflater: zlib._Decompress | None = None  # there while a compressed message is incomplete
        self._streams = 0
        self._packed: bytes | None = None
        self._is_last = False  # whether `_packed` ends the message

    @property
    def is_empty(self) -> bool:
        """Whether nothing is held."""
        return super().is_empty and not self.is_behind

    def end(self) -> None:
        super().end()
        self._inflater = self._packed = None
        self.is_behind = False

    def skim(self) -> None:
        """Let go of the message that is incomplete, and of all later ones."""
        if self._packed is not None and self._is_last:
            self._opcode = CONTINUATION
        self._is_skimming = True
        self._inflater = self._packed = self._decoder = None
        self._room += len(self._message)
        self._message = bytearray()
        self.is_behind = False

    def feed(self, data: bytes, messages: list[tuple[int, bytes]]) -> None:
        self._slice = SLICE
        if self.is_behind:
            self._head += data
            self.is_behind = False
            self._inflate(messages)
            if self.is_behind:
                return
            data = b""
        super().feed(data, messages)

    def _has_wrong_bit(self, first: int) -> bool:
        begins_message = CONTINUATION < first & 0x0F < CLOSE
        return bool(first & _OTHER_BITS) or (bool(first & _RSV1) and not begins_message)

    def _room_for(self, first: int) -> int:
        if first & _RSV1:
            return self._max_packed
        return super()._room_for(first) if self._inflater is None else self._max_packed - self._came

    def _take_data(self, opcode: int, payload: bytes, messages: list[tuple[int, bytes]]) -> None:
        is_last = bool(self._first & _FIN)
        if self._is_skimming:
            self._opcode = CONTINUATION if is_last else opcode or self._opcode
            return
        if self._first & _RSV1:
            self._came = self._streams = 0
            self._begin_stream()
            # From here on it grows as the fragments of a plain message do.
            self._add_fragment(opcode, b"", is_last=False)
        if self._inflater is None:
            super()._take_data(opcode, payload, messages)
            return
        self._came += len(payload)
        self._is_last = is_last
        self._packed = payload + _TAIL if is_last else payload
        self._inflate(messages)

    def _begin_stream(self) -> None:
        if self._streams == _MOST_STREAMS:
            raise FrameError(_INVALID_PAYLOAD, f"message has more than {_MOST_STREAMS} DEFLATE streams")
        self._streams += 1
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)

    def _inflate(self, messages: list[tuple[int, bytes]]) -> None:
        """Inflate what is left of a frame, as far as this slice reaches, and finish the message behind its last one."""
        if self._packed is None:
            return
        while self._packed is not None:
            if self._slice <= 0:
                self.is_behind = True
                return
            self._inflate_chunk(self._packed)
        # Whatever is behind this frame has the next slice.
        self.is_behind = self._slice <= 0
        if self._is_last:
            self.saved += len(self._message) - self._came
            self._inflater = None
            messages.append(self._finish_message())

    def _inflate_chunk(self, packed: bytes) -> None:
        inflater = self._inflater
        assert inflater is not None, "a compressed message has one"
        # One byte more than there is room for tells that it would be too long.
        most = min(_CHUNK, self._room + 1)
        try:
            plain = inflater.decompress(packed, most)
        except zlib.error:
            raise FrameError(_INVALID_PAYLOAD, "message is no DEFLATE data") from None
        if len(plain) > self._room:
            raise FrameError(_TOO_BIG, "message is too big when it is inflated")
        self._slice -= len(plain)
        rest: bytes | None = inflater.unconsumed_tail
        if inflater.eof:
            rest = inflater.unused_data or None
            if rest == _TAIL and self._is_last:
                # The sender has ended the stream and left out the octet that belongs behind it.
                rest = None
            if rest is not None or not self._is_last:
                self._begin_stream()
        elif not rest and len(plain) < most:
            rest = None
            if self._is_last:
                raise FrameError(_INVALID_PAYLOAD, "message ends in the middle of DEFLATE data")
        self._packed = rest
        self._add_fragment(CONTINUATION, plain, is_last=self._is_last and rest is None)
