"""The wire protocol between the workers of one machine, over unix sockets, without I/O: bytes in, frames out.

A frame is a head of seven bytes (length of the rest, kind, length of the name), a name and data. A frame is never
changed on its way: a message that goes to several workers is the same head, name and data for each of them.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, TypeAlias

# Workers of different versions refuse each other: both may run while workers are replaced one by one.
VERSION: Final = 1

# The listener sends its index, joins and leaves topics, and asks whether that has been done.
HELLO: Final = 1
JOIN: Final = 2
LEAVE: Final = 3
SYNC: Final = 4
# The other side sends its index too, answers, and sends messages.
DONE: Final = 5
MESSAGE: Final = 6

_KINDS: Final = frozenset({HELLO, JOIN, LEAVE, SYNC, DONE, MESSAGE})

MAX_FRAME_BYTES: Final = 256 * 1024 * 1024

Frame: TypeAlias = tuple[int, bytes, bytes]

_HEAD: Final = Struct("<IBH")
_HEAD_SIZE: Final = _HEAD.size
_AFTER_LENGTH: Final = _HEAD_SIZE - 4
_NUMBER: Final = Struct("<Q")
_GREETING: Final = Struct("<BI")


class WireError(Exception):
    """Bytes that are not a frame. The connection cannot go on."""


def head(kind: int, name: bytes, size: int) -> bytes:
    """Encode a frame up to its data, of which there are `size` bytes."""
    return _HEAD.pack(_AFTER_LENGTH + len(name) + size, kind, len(name)) + name


def frame(kind: int, name: bytes = b"", data: bytes = b"") -> bytes:
    """Encode a frame."""
    return head(kind, name, len(data)) + data


def hello(index: int) -> bytes:
    """Encode the first frame of either side."""
    return frame(HELLO, data=_GREETING.pack(VERSION, index))


def numbered(kind: int, number: int) -> bytes:
    """Encode a question, or the answer to it."""
    return frame(kind, data=_NUMBER.pack(number))


def index_of(data: bytes) -> int:
    """Return the index that the data of a hello carries.

    Raises:
        WireError: the peer speaks another version.
    """
    # The version comes first in every version.
    if len(data) != _GREETING.size or data[0] != VERSION:
        raise WireError(f"a worker with another version ({data[0] if data else 'none'}, not {VERSION})")
    index: int = _GREETING.unpack(data)[1]
    return index


def number_of(data: bytes) -> int:
    """Return the number that a question or its answer carries."""
    if len(data) != _NUMBER.size:
        raise WireError("a number of a wrong size")
    number: int = _NUMBER.unpack(data)[0]
    return number


class Reader:
    """Turns the bytes of one connection, however they are split, into frames."""

    __slots__ = ("_kept", "_needed")

    def __init__(self) -> None:
        self._kept = bytearray()
        # The number of bytes that the next frame needs.
        self._needed = _HEAD_SIZE

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that are whole now.

        Raises:
            WireError: the bytes are not a frame; whole frames before it are lost with the connection.
        """
        # hot path
        kept = self._kept
        if not kept:
            # Mostly one whole message comes: 0.5 us then, against 0.75.
            if len(data) >= _HEAD_SIZE:
                length, kind, name_size = _HEAD.unpack_from(data)
                name_end = _HEAD_SIZE + name_size
                if kind == MESSAGE and name_end <= length + 4 == len(data) <= MAX_FRAME_BYTES:
                    return [(kind, data[_HEAD_SIZE:name_end], data[name_end:])]
            frames, used = self._split(data)
            if used < len(data):
                kept += data[used:] if used else data
            return frames
        kept += data
        if len(kept) < self._needed:
            return []
        frames, used = self._split(bytes(kept))
        del kept[:used]
        return frames

    def _split(self, data: bytes) -> tuple[list[Frame], int]:
        # hot path
        frames: list[Frame] = []
        start, end = 0, len(data)
        unpack = _HEAD.unpack_from
        while end - start >= _HEAD_SIZE:
            length, kind, name_size = unpack(data, start)
            if length > MAX_FRAME_BYTES or length < _AFTER_LENGTH + name_size or kind not in _KINDS:
                raise WireError("not a frame")
            after = start + 4 + length
            if after > end:
                self._needed = 4 + length
                break
            name_end = start + _HEAD_SIZE + name_size
            frames.append((kind, data[start + _HEAD_SIZE : name_end], data[name_end:after]))
            start = after
        else:
            self._needed = _HEAD_SIZE
        return frames, start
