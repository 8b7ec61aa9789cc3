"""Agrees on compression with clients; all who agree on the same share one encoding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sockudo.hub.broadcast import Encoding, Packed
from sockudo.timing.clock import Clock
from sockudo.websocket.deflate import Deflater
from sockudo.websocket.extensions import LARGEST_WINDOW, SMALLEST_WINDOW, negotiate

_HEADER: Final = b"sec-websocket-extensions"

# Clients of one library offer the same; a stream of made-up offers does not grow the table.
_MOST_OFFERS: Final = 256
_LONGEST_OFFER: Final = 512

# 40 us for each 1000 bytes at worst, and 10 us for each frame.
_BYTES_OF_A_TURN: Final = 176 * 1024
_BYTES_OF_A_FRAME: Final = 256


class Agreed(NamedTuple):
    """What a client and the server have agreed on.

    Attributes:
        header: the line of the response, with its end.
        encoding: the form of what the client gets.
    """

    header: bytes
    encoding: Encoding

    def in_response(self, handshake: bytes) -> bytes:
        """Return the response to a handshake with this agreement in it."""
        return handshake[:-2] + self.header + b"\r\n"


class _Allowance:
    """What is compressed in one turn of the event loop, whoever causes it: 7 ms of bytes that hardly compress."""

    __slots__ = ("_call_soon", "_left")

    def __init__(self, clock: Clock) -> None:
        self._call_soon = clock.call_soon
        self._left = _BYTES_OF_A_TURN

    def take(self, size: int) -> bool:
        """Take the time of so many bytes of this turn; return whether there is any."""
        # hot path
        cost = size + _BYTES_OF_A_FRAME
        if cost > self._left:
            return False
        if self._left == _BYTES_OF_A_TURN:
            self._call_soon(self._renew)
        self._left -= cost
        return True

    def _renew(self) -> None:
        self._left = _BYTES_OF_A_TURN


class Compression:
    """Agrees with clients.

    Args:
        min_bytes: payloads that are shorter go as they are.
        clock: tells the turns of the event loop.
    """

    def __init__(self, min_bytes: int, clock: Clock) -> None:
        may_take = _Allowance(clock).take
        self._encodings = {
            bits: Packed(Deflater(bits, min_bytes, may_take).frame) for bits in (LARGEST_WINDOW, SMALLEST_WINDOW)
        }
        self._known: dict[bytes, Agreed | None] = {}

    @property
    def remembered(self) -> int:
        """How many offers are remembered."""
        return len(self._known)

    def agree_on_head(self, headers: Sequence[tuple[bytes, bytes]]) -> Agreed | None:
        """Return the agreement with the sender of a head; None where messages go as they are.

        Raises:
            HandshakeError: 400, the header about extensions is malformed.
        """
        # Several lines mean the same as one with commas (RFC 6455, section 9.1).
        lines = [value for name, value in headers if name.lower() == _HEADER]
        return self.agree(b",".join(lines)) if lines else None

    def agree(self, offers: bytes) -> Agreed | None:
        """Return the agreement on the value of the header about extensions; else as `agree_on_head`."""
        # hot path: browsers of one kind offer the same
        if offers in self._known:
            return self._known[offers]
        agreement = negotiate(offers)
        if agreement is None:
            agreed = None
        else:
            header = b"Sec-WebSocket-Extensions: %b\r\n" % agreement.answer
            agreed = Agreed(header, self._encodings[agreement.window_bits])
        if len(offers) <= _LONGEST_OFFER:
            if len(self._known) == _MOST_OFFERS:
                self._known.clear()
            self._known[offers] = agreed
        return agreed
