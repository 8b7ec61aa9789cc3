"""The opening handshake (RFC 6455, section 4.2): turns a request head into the 101 response or a refusal.

Rules
    No subprotocol and no extension is negotiated; what the client offers is ignored, as 4.2.2 allows.
    What the request is for (path, query, origin) is decided elsewhere.
    Header names are compared without case (4.2.1); they arrive as they were on the wire.
"""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Sequence
from typing import Final

_VERSION: Final = b"13"
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_RESPONSE_START: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
)

# Header fields that are lists, so that several lines mean the same as one with commas (RFC 9110, 5.3).
_LISTS: Final = frozenset((b"upgrade", b"connection", b"transfer-encoding"))
_SINGLE: Final = frozenset((b"host", b"sec-websocket-key", b"sec-websocket-version", b"content-length"))
_WANTED: Final = _LISTS | _SINGLE

_UPGRADE_REQUIRED: Final = (("Upgrade", "websocket"), ("Connection", "Upgrade"))


class HandshakeError(Exception):
    """The request does not open a WebSocket; answer it with `status`, `headers` and the plain text `reason`."""

    def __init__(self, status: int, reason: str, *headers: tuple[str, str]) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers


def is_upgrade(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Return whether the head asks for a WebSocket.

    Only `Upgrade` counts: a head that asks in vain, say without `Connection`, deserves the answer of `accept`.
    """
    return any(name.lower() == b"upgrade" and _has_token(value, b"websocket") for name, value in headers)


def accept(method: bytes, http_version: str, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return the complete 101 response to an opening handshake; raise `HandshakeError` if it is not a valid one."""
    if method != b"GET":
        raise HandshakeError(405, "a WebSocket is opened with GET", ("Allow", "GET"))
    if http_version != "1.1" and not _is_later_than_1_0(http_version):
        raise HandshakeError(400, "a WebSocket needs HTTP/1.1 or later")
    fields = _collect(headers)
    _check_upgrade(fields)
    _check_no_body(fields)
    if fields.get(b"sec-websocket-version") != _VERSION:
        # 4.4: the server answers with the versions it understands.
        supported = ("Sec-WebSocket-Version", _VERSION.decode())
        raise HandshakeError(426, "the only WebSocket version here is 13", supported, *_UPGRADE_REQUIRED)
    key = fields.get(b"sec-websocket-key", b"")
    if not is_key(key):
        raise HandshakeError(400, "Sec-WebSocket-Key must be 16 bytes in base64")
    return accepted(key)


def accepted(key: bytes) -> bytes:
    """Return the complete 101 response to a handshake with this key."""
    # hot path
    # The proof that the handshake was understood (4.2.2, 5.4). SHA-1 is what the RFC asks for; nothing secret depends
    # on it.
    digest = hashlib.sha1(key + _GUID, usedforsecurity=False).digest()
    return b"%b%b\r\n\r\n" % (_RESPONSE_START, binascii.b2a_base64(digest, newline=False))


def _collect(headers: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return the fields that matter here by their lower-case names, lists joined, nothing else twice."""
    fields: dict[bytes, bytes] = {}
    for raw_name, raw_value in headers:
        name = raw_name.lower()
        if name in _WANTED:
            value = raw_value.strip(b" \t")
            if name in fields:
                if name not in _LISTS:
                    # 11.3.1, 11.3.5: "MUST NOT appear more than once in an HTTP request"; RFC 9112, 3.2 for Host
                    raise HandshakeError(400, f"header {name.decode()} appears more than once")
                value = b"%b,%b" % (fields[name], value)
            fields[name] = value
    return fields


def _check_upgrade(fields: dict[bytes, bytes]) -> None:
    if not fields.get(b"host"):
        raise HandshakeError(400, "header Host is missing")
    if not _has_token(fields.get(b"upgrade", b""), b"websocket"):
        # RFC 9110, 15.5.22: a 426 says what to upgrade to
        raise HandshakeError(426, "only WebSocket is spoken here: header Upgrade must name it", *_UPGRADE_REQUIRED)
    if not _has_token(fields.get(b"connection", b""), b"upgrade"):
        raise HandshakeError(400, "header Connection must name upgrade")


def _check_no_body(fields: dict[bytes, bytes]) -> None:
    # A body would be read as the first frames.
    if b"transfer-encoding" in fields or fields.get(b"content-length", b"0") != b"0":
        raise HandshakeError(400, "an opening handshake has no body")


def _has_token(value: bytes, token: bytes) -> bool:
    """Return whether the list `value` contains `token`, in any case."""
    value = value.lower()
    if value == token:
        return True
    return any(item.strip(b" \t") == token for item in value.split(b","))


def is_key(key: bytes) -> bool:
    """Return whether `key` is exactly 16 bytes in base64 (4.2.1, 5)."""
    # 24 characters and nothing but base64 in them; a lenient decoder would skip what is not.
    if len(key) != 24:
        return False
    try:
        return len(binascii.a2b_base64(key, strict_mode=True)) == 16
    except binascii.Error:
        return False


def _is_later_than_1_0(http_version: str) -> bool:
    major, _, minor = http_version.partition(".")
    if not (major.isdecimal() and (minor or "0").isdecimal()):
        return False
    return (int(major), int(minor or "0")) >= (1, 1)
