"""Reads the header in which a proxy names the client before everything else (PROXY protocol, versions 1 and 2).

Version 1 is a line of text, version 2 is binary and may carry more values, which are passed over. A header may say that
the connection is the proxy's own (LOCAL), or that it does not know the client (UNKNOWN).
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from sockudo.errors import SockudoError

MAX_BYTES: Final = 4096
"""The longest header that is taken, values that are passed over included."""

SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_WORD: Final = b"PROXY "
# The longest line of version 1, its end included.
_LONGEST_LINE: Final = 107

_FIXED: Final = struct.Struct("!12sBBH")
_VERSION: Final = 0x20
_LOCAL, _PROXY = range(2)
# Streams over IPv4 and IPv6, and how long the address of the client is; both ends and their ports follow each other.
_FAMILIES: Final = {0x11: 4, 0x21: 16}
_PORTS: Final = 4


class ProxyHeaderError(SockudoError):
    """The bytes are no header. The message completes a sentence that begins with "the header"."""


def begins_header(data: bytes) -> bool | None:
    """Tell whether a connection begins with a header, by its first bytes; None where there are too few of them."""
    for beginning in (SIGNATURE, _WORD):
        if data.startswith(beginning):
            return True
        if beginning.startswith(data):
            return None
    return False


class ProxyHeader:
    """One header, read in pieces.

    Attributes:
        is_complete: whether it has been read whole.
        client: the address of the client; None where the peer's own counts.
    """

    __slots__ = ("_data", "client", "is_complete")

    def __init__(self) -> None:
        self._data = b""
        self.is_complete = False
        self.client: str | None = None

    def take(self, data: bytes) -> int:
        """Read a piece of a connection, and return how many of its bytes belong to the header.

        Raises:
            ProxyHeaderError: it is none.
        """
        begun = self._data + data
        is_header = begins_header(begun)
        if is_header is False:
            raise ProxyHeaderError("is missing")
        size = len(begun)
        if is_header and begun.startswith(SIGNATURE):
            size = self._take_binary(begun)
        elif is_header:
            size = self._take_line(begun)
        taken = size - len(self._data)
        self._data = begun[:size]
        return taken

    def _take_binary(self, begun: bytes) -> int:
        if len(begun) < _FIXED.size:
            return len(begun)
        _, command, family, length = _FIXED.unpack_from(begun)
        size: int = _FIXED.size + length
        if command & 0xF0 != _VERSION or command & 0x0F not in (_LOCAL, _PROXY):
            raise ProxyHeaderError(f"has the version and command {command:#04x}, which are unknown")
        if size > MAX_BYTES:
            raise ProxyHeaderError(f"has {size} bytes; the limit is {MAX_BYTES}")
        if len(begun) < size:
            return len(begun)
        self.is_complete = True
        if command & 0x0F == _PROXY and family in _FAMILIES:
            width = _FAMILIES[family]
            if length < 2 * width + _PORTS:
                raise ProxyHeaderError(f"has {length} bytes of addresses, which are too few")
            packed = begun[_FIXED.size : _FIXED.size + width]
            self.client = str(IPv4Address(packed) if width == 4 else IPv6Address(packed))
        return size

    def _take_line(self, begun: bytes) -> int:
        line, end, _ = begun.partition(b"\n")
        if len(line) >= _LONGEST_LINE:
            raise ProxyHeaderError(f"has a line of more than {_LONGEST_LINE} bytes")
        if not end:
            return len(begun)
        if not line.endswith(b"\r"):
            raise ProxyHeaderError("has a line that does not end with CR and LF")
        self.client = _client_of(line[:-1])
        self.is_complete = True
        return len(line) + 1


def _client_of(line: bytes) -> str | None:
    """Return the client that a line of version 1 names; None where it is unknown."""
    _, protocol, *rest = line.split(b" ")
    if protocol == b"UNKNOWN":
        return None
    if protocol in (b"TCP4", b"TCP6") and len(rest) == 4 and all(_is_port(port) for port in rest[2:]):
        kind = IPv4Address if protocol == b"TCP4" else IPv6Address
        try:
            source, _ = (kind(text.decode("ascii")) for text in rest[:2])
        except ValueError:
            raise ProxyHeaderError("has a text in place of an IP address") from None
        return str(source)
    raise ProxyHeaderError("has a line that names no client")


def _is_port(text: bytes) -> bool:
    return text.isdigit() and len(text) <= 5 and int(text) <= 0xFFFF
