"""Negotiates the extension `permessage-deflate` (RFC 7692) from the header `Sec-WebSocket-Extensions`.

Rules
    Of the client's offers the first counts that can be met (RFC 7692, section 5). An offer with a parameter that is
    unknown, twice there, or has a wrong value is passed over (7.1), and so is every other extension.
    The answer always has `server_no_context_takeover` and `client_no_context_takeover`, which a server may put there
    unasked (7.1.1): each message is compressed by itself. So one compressed message serves all clients, and no socket
    keeps a window.
    A client that limits the window of the server gets the smallest one, which meets every limit (7.1.2.1), so that
    there are two forms of a message at most. A limit of 8 bits cannot be met: zlib has no such window.
    A header that is no list of extensions fails the handshake (RFC 6455, section 9.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from sockudo.websocket.handshake import HandshakeError

LARGEST_WINDOW: Final = 15
SMALLEST_WINDOW: Final = 9

_NAME: Final = b"permessage-deflate"
_ANSWER: Final = b"permessage-deflate; server_no_context_takeover; client_no_context_takeover"
_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# A token, or a quoted string whose content, without its backslashes, is a token (RFC 6455, 9.1).
_PARAMETER: Final = re.compile(
    rb"[ \t]*;[ \t]*(%b)[ \t]*(?:=[ \t]*(?:(%b)|\"((?:[^\"\\]|\\.)*)\")[ \t]*)?" % (_TOKEN, _TOKEN)
)
_EXTENSION: Final = re.compile(rb"[ \t]*(%b)[ \t]*" % _TOKEN)
_SEPARATOR: Final = re.compile(rb"[ \t,]*")
_ESCAPED: Final = re.compile(rb"\\(.)")
_ONLY_TOKEN: Final = re.compile(_TOKEN).fullmatch
_BITS: Final = frozenset(str(bits).encode() for bits in range(8, 16))

_Parameters = list[tuple[bytes, bytes | None]]


class Agreement(NamedTuple):
    """What a client and this server have agreed on.

    Attributes:
        answer: the value of `Sec-WebSocket-Extensions` in the response.
        window_bits: of the window that messages to the client are compressed with.
    """

    answer: bytes
    window_bits: int


def negotiate(offers: bytes) -> Agreement | None:
    """Return the agreement on a header's value, or None where nothing is offered that can be met.

    Raises:
        HandshakeError: 400, the value is no list of extensions.
    """
    # The whole list is read before an offer counts, so that a malformed one never passes.
    for name, parameters in list(_extensions(offers)):
        if name.lower() == _NAME:
            agreement = _agree(parameters)
            if agreement is not None:
                return agreement
    return None


def _agree(parameters: _Parameters) -> Agreement | None:
    """Return the agreement on one offer, or None if it must be declined."""
    offered = dict(parameters)
    if len(offered) < len(parameters):
        return None
    answer, window_bits = _ANSWER, LARGEST_WINDOW
    for name, value in offered.items():
        if name in (b"server_no_context_takeover", b"client_no_context_takeover"):
            if value is not None:
                return None
        elif name == b"client_max_window_bits":
            # A client may compress with any window: the whole 32 KiB are there for each message.
            if value is not None and value not in _BITS:
                return None
        elif name == b"server_max_window_bits":
            if value not in _BITS or value == b"8":
                return None
            if value != b"15":
                window_bits = SMALLEST_WINDOW
            answer += b"; server_max_window_bits=%d" % window_bits
        else:
            return None
    return Agreement(answer, window_bits)


def _extensions(value: bytes) -> Iterator[tuple[bytes, _Parameters]]:
    """Yield the name and the parameters of every extension in a list."""
    position = _after_separator(value, 0)
    while position < len(value):
        extension = _EXTENSION.match(value, position)
        if extension is None:
            raise _malformed()
        position = extension.end()
        parameters: _Parameters = []
        while value[position : position + 1] == b";":
            parameter = _PARAMETER.match(value, position)
            if parameter is None:
                raise _malformed()
            parameters.append((parameter[1], _value(parameter[2], parameter[3])))
            position = parameter.end()
        if position < len(value) and value[position : position + 1] != b",":
            raise _malformed()
        yield extension[1], parameters
        position = _after_separator(value, position)


def _after_separator(value: bytes, position: int) -> int:
    # A recipient ignores empty elements of a list (RFC 9110, section 5.6.1.2).
    separator = _SEPARATOR.match(value, position)
    return position if separator is None else separator.end()


def _value(token: bytes | None, quoted: bytes | None) -> bytes | None:
    if quoted is None:
        return token
    value = _ESCAPED.sub(rb"\1", quoted)
    if not _ONLY_TOKEN(value):
        raise _malformed()
    return value


def _malformed() -> HandshakeError:
    return HandshakeError(400, "header Sec-WebSocket-Extensions is no list of extensions")
