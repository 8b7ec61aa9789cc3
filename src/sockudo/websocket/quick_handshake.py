"""The quick way to read an opening handshake: by its bytes, for heads as browsers and client libraries send them.

It takes a head, or leaves it to the general way (an HTTP parser, and `handshake`), which gives every refusal its exact
answer. Its rules:

* The bytes are one whole head of printable ASCII, at most `LONGEST` long, and nothing behind it.
* The request is `GET TARGET HTTP/1.1`, with nothing in the target but letters, digits and `_.~/?&=%+:-`.
* `Host`, `Upgrade`, `Connection`, `Sec-WebSocket-Key` and `Sec-WebSocket-Version` are there once, and right; `Origin`
  is there once at most, and so is `Sec-WebSocket-Extensions` where extensions are negotiated.
* No header announces a body, an expectation or trailers. Every other name is a token (RFC 9110, section 5.6.2), and is
  ignored, as the general way ignores it.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from sockudo.websocket.handshake import accepted, is_key

LONGEST: Final = 4096
# Names of headers that were seen, with what they are good for; a stream of made-up names does not grow it.
_MOST_NAMES: Final = 1024

_END: Final = b"\r\n\r\n"
# Everything that is neither printable nor a line end.
_ODD: Final = bytes({*range(32), *range(127, 256)} - {10, 13})
_REQUEST: Final = re.compile(rb"GET (/[A-Za-z0-9_.~/?&=%+:-]*) HTTP/1\.1")
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONNECTION: Final = frozenset((b"upgrade", b"keep-alive, upgrade"))
_REFUSED: Final = frozenset((b"content-length", b"transfer-encoding", b"expect", b"te", b"trailer", b"http2-settings"))
_SINGLE: Final = frozenset(
    (b"host", b"upgrade", b"connection", b"sec-websocket-key", b"sec-websocket-version", b"origin")
)
_EXTENSIONS: Final = b"sec-websocket-extensions"
_IGNORED: Final = b""
_ODD_NAME: Final = b"?"


class QuickHandshake(NamedTuple):
    """An opening handshake.

    Attributes:
        target: path and query, as sent.
        response: the complete 101 response.
        origin: the header of this name.
        extensions: the header `Sec-WebSocket-Extensions`, where it is read.
        lines: every line of the head, the request line first.
    """

    target: bytes
    response: bytes
    origin: str | None
    extensions: bytes | None
    lines: list[bytes]


class QuickReader:
    """Reads handshakes, and remembers the names of headers.

    Args:
        reads_extensions: whether the header about extensions matters.
    """

    def __init__(self, *, reads_extensions: bool = False) -> None:
        self._names: dict[bytes, bytes] = {}
        self._single = _SINGLE | {_EXTENSIONS} if reads_extensions else _SINGLE

    @property
    def remembered(self) -> int:
        """How many names are remembered."""
        return len(self._names)

    def read(self, data: bytes) -> QuickHandshake | None:
        """Return the handshake that `data` is; None where the general way must look."""
        # hot path
        size = len(data)
        if size > LONGEST or data.find(_END) != size - 4 or len(data.translate(None, _ODD)) != size:
            return None
        lines = data[:-4].split(b"\r\n")
        # No line end but these.
        if data.count(b"\n") != len(lines) + 1 or data.count(b"\r") != len(lines) + 1:
            return None
        request = _REQUEST.fullmatch(lines[0])
        if request is None:
            return None
        fields = self._fields(lines)
        if fields is None:
            return None
        key = fields.get(b"sec-websocket-key", b"")
        if (
            not fields.get(b"host")
            or fields.get(b"upgrade", b"").lower() != b"websocket"
            or fields.get(b"connection", b"").lower() not in _CONNECTION
            or fields.get(b"sec-websocket-version") != b"13"
            or not is_key(key)
        ):
            return None
        origin = fields.get(b"origin")
        return QuickHandshake(
            request[1],
            accepted(key),
            None if origin is None else origin.decode("ascii"),
            fields.get(_EXTENSIONS),
            lines,
        )

    def _fields(self, lines: list[bytes]) -> dict[bytes, bytes] | None:
        """Return the fields that matter, by their lower-case names; None where one of them, or any name, is odd."""
        fields: dict[bytes, bytes] = {}
        names = self._names
        for line in lines[1:]:
            name, colon, value = line.partition(b":")
            known = names.get(name) if colon else _ODD_NAME
            if known is None:
                known = self._learn(name)
            if known:
                if known is _ODD_NAME or known in fields:
                    return None
                fields[known] = value.strip(b" ")
        return fields

    def _learn(self, name: bytes) -> bytes:
        lower = name.lower()
        if not _NAME.fullmatch(name) or lower in _REFUSED:
            return _ODD_NAME
        if len(self._names) >= _MOST_NAMES:
            self._names.clear()
        known = lower if lower in self._single else _IGNORED
        self._names[name] = known
        return known


def fields_of(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    """Return the header fields of a head as an HTTP parser gives them."""
    pairs = (line.partition(b":") for line in lines[1:])
    return [(name, value.strip(b" ")) for name, _, value in pairs]
