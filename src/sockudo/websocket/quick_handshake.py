"""The quick way to read an opening handshake: by its bytes, for heads as browsers and client libraries send them.

It takes a head, or leaves it to the general way (an HTTP parser, and `handshake`), which gives every refusal its exact
answer. Its rules:

* The bytes are one whole head of printable ASCII, at most `LONGEST` long, and nothing behind it.
* The request is `GET TARGET HTTP/1.1`, with nothing in the target but letters, digits and `_.~/?&=%+:-`.
* `Host`, `Upgrade`, `Connection`, `Sec-WebSocket-Key` and `Sec-WebSocket-Version` are there once, and right; `Origin`
  is there once at most. `Sec-WebSocket-Extensions` is not there where extensions are negotiated.
* No header announces a body, an expectation or trailers. Every other name is a token (RFC 9110, section 5.6.2), and is
  ignored, as the general way ignores it.

Clients of one deployment send the same lines but for the key and what a proxy adds. So whole lines are remembered, with
what they are good for: a line that was seen costs one look into a dict. Measured: 2.3 us for the head of a library, in
place of 6.2 where each line is taken apart; 3.4 for a browser in place of 8.4.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

from sockudo.websocket.handshake import is_key

LONGEST: Final = 4096
# Lines, and names of headers, that were seen; a stream of made-up ones does not grow them.
_MOST_NAMES: Final = 1024
_MOST_LINES: Final = 1024
_LONGEST_LINE: Final = 512

_END: Final = b"\r\n\r\n"
_USUAL_KEY: Final = b"Sec-WebSocket-Key: "
# Everything that is not printable.
_ODD: Final = bytes({*range(32), *range(127, 256)})
_REQUEST: Final = re.compile(rb"GET (/[A-Za-z0-9_.~/?&=%+:-]*) HTTP/1\.1")
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONNECTION: Final = frozenset((b"upgrade", b"keep-alive, upgrade"))
_REFUSED: Final = frozenset((b"content-length", b"transfer-encoding", b"expect", b"te", b"trailer", b"http2-settings"))

_EXTENSIONS: Final = b"sec-websocket-extensions"

# What a line is good for: a bit for each that may come once.
_HOST, _UPGRADE, _CONNECTION_LINE, _VERSION, _KEY, _ORIGIN = 1, 2, 4, 8, 16, 32
_NEEDED: Final = _HOST | _UPGRADE | _CONNECTION_LINE | _VERSION | _KEY
_IGNORED: Final = 0
_ODD_LINE: Final = -1
# With a name: its lines are remembered.
_SENT_ALIKE: Final = 64
_SINGLE: Final = {
    b"host": _HOST,
    b"upgrade": _UPGRADE,
    b"connection": _CONNECTION_LINE,
    b"sec-websocket-version": _VERSION,
    b"sec-websocket-key": _KEY,
    b"origin": _ORIGIN,
}
# Headers that most clients of a deployment send alike; lines of others are not remembered.
_ALIKE: Final = frozenset(
    (
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"cache-control",
        b"connection",
        b"host",
        b"origin",
        b"pragma",
        b"sec-fetch-dest",
        b"sec-fetch-mode",
        b"sec-fetch-site",
        _EXTENSIONS,
        b"sec-websocket-version",
        b"upgrade",
        b"user-agent",
        b"via",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-proto",
    )
)

QuickHandshake: TypeAlias = tuple[list[bytes], bytes, str | None]
"""Every line of the head, the request line first; the key; and the header `Origin`."""


class QuickReader:
    """Reads handshakes, and remembers lines and the names of headers.

    Args:
        negotiates: whether clients may agree on extensions, and a head that offers one is left to the general way.
    """

    def __init__(self, *, negotiates: bool = False) -> None:
        self._refused = _REFUSED | {_EXTENSIONS} if negotiates else _REFUSED
        self._lines: dict[bytes, int] = {}
        self._names: dict[bytes, int] = {}

    @property
    def remembered(self) -> int:
        """How many lines and names are remembered."""
        return len(self._lines) + len(self._names)

    def read(self, data: bytes) -> QuickHandshake | None:
        """Return the handshake that `data` is; None where the general way must look."""
        # hot path
        if len(data) > LONGEST or data[-4:] != _END:
            return None
        lines = data[:-4].split(b"\r\n")
        known, seen = self._lines, 0
        key, origin = b"", None
        fields = iter(lines)
        next(fields)
        for line in fields:
            good_for = known.get(line)
            if good_for is None:
                if line[:19] == _USUAL_KEY and is_key(line[19:]):
                    good_for, key = _KEY, line[19:]
                else:
                    good_for = self._judge(line)
            if good_for:
                if good_for < 0 or good_for & seen:
                    return None
                seen |= good_for
                if good_for == _KEY:
                    key = key or _value(line)
                elif good_for == _ORIGIN:
                    origin = _value(line).decode("ascii")
        if seen & ~_ORIGIN != _NEEDED:
            return None
        return lines, key, origin

    def _judge(self, line: bytes) -> int:
        """Return what a line is good for that is not remembered."""
        # hot path
        name, colon, value = line.partition(b":")
        good_for = self._names.get(name) if colon else _ODD_LINE
        if good_for is None:
            good_for = self._learn(name)
        if good_for == _ODD_LINE or len(line.translate(None, _ODD)) != len(line):
            return _ODD_LINE
        if good_for == _KEY:
            return _KEY if is_key(value.strip(b" ")) else _ODD_LINE
        if good_for & _SENT_ALIKE:
            good_for ^= _SENT_ALIKE
            if not _is_right(good_for, value.strip(b" ")):
                return _ODD_LINE
            self._remember(line, good_for)
        return good_for

    def _remember(self, line: bytes, good_for: int) -> None:
        if len(line) <= _LONGEST_LINE:
            if len(self._lines) >= _MOST_LINES:
                self._lines.clear()
            self._lines[line] = good_for

    def _learn(self, name: bytes) -> int:
        lower = name.lower()
        if not _NAME.fullmatch(name) or lower in self._refused:
            return _ODD_LINE
        if len(self._names) >= _MOST_NAMES:
            self._names.clear()
        good_for = _SINGLE.get(lower, _IGNORED)
        if lower in _ALIKE:
            good_for |= _SENT_ALIKE
        self._names[name] = good_for
        return good_for


def _is_right(good_for: int, value: bytes) -> bool:
    """Tell whether a header of this kind may have this value."""
    if good_for == _HOST:
        return bool(value)
    if good_for == _UPGRADE:
        return value.lower() == b"websocket"
    if good_for == _CONNECTION_LINE:
        return value.lower() in _CONNECTION
    return good_for != _VERSION or value == b"13"


def _value(line: bytes) -> bytes:
    return line.partition(b":")[2].strip(b" ")


def target_of(request: bytes) -> bytes | None:
    """Return path and query of a request line, as sent; None where the general way must look."""
    found = _REQUEST.fullmatch(request)
    return None if found is None else found[1]


def fields_of(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    """Return the header fields of a head as an HTTP parser gives them."""
    pairs = (line.partition(b":") for line in lines[1:])
    return [(name, value.strip(b" ")) for name, _, value in pairs]
