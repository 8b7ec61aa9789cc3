"""One event for many connections: it makes each encoding once at most, and only where a connection needs it.

Connections that negotiated nothing take `Broadcast.text`. Every other one has an `Encoding`: an object that all
connections with the same agreement share, so that one dict of its kind holds them all (`hub/channel.py`) and one look
at the broadcast serves them all.

An encoding may build on another: `Packed` compresses what an inner one has made, whatever that is. A dialect or a
binary format is one more class with `encode`, and a subclass of `Broadcast` may carry what it is made of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Encoding(Protocol):
    """The form in which connections get their frames; compared by identity."""

    def encode(self, broadcast: Broadcast) -> bytes:
        """Return the frame of a broadcast in this form."""


class Broadcast:
    """One event for many connections.

    Attributes:
        text: the plain text frame, which all nodes exchange.
    """

    __slots__ = ("_made", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self._made: dict[Encoding, bytes] | None = None

    def frame(self, encoding: Encoding) -> bytes:
        """Return the frame in an encoding; the first call makes it."""
        made = self._made
        if made is None:
            made = self._made = {}
        frame = made.get(encoding)
        if frame is None:
            frame = made[encoding] = encoding.encode(self)
        return frame


class Packed:
    """The `Encoding` that puts frames through a function, such as a compressor.

    Args:
        pack: returns the frame to send in the place of another.
        inner: the encoding of what is put through; None for the plain text frame.
    """

    def __init__(self, pack: Callable[[bytes], bytes], inner: Encoding | None = None) -> None:
        self._pack = pack
        self._inner = inner

    def encode(self, broadcast: Broadcast) -> bytes:
        """Return the frame of a broadcast in this form."""
        inner = self._inner
        return self._pack(broadcast.text if inner is None else broadcast.frame(inner))
