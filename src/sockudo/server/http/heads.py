"""Rewrites request heads: an upgrade that comes with a body becomes a plain request."""

from __future__ import annotations

from collections.abc import Sequence


def without_upgrade(method: bytes, url: bytes, version: str, headers: Sequence[tuple[bytes, bytes]]) -> bytes | None:
    """Return the head of a request that asks for an upgrade and has a body, written as if it did not ask; else None.

    The parser takes a body behind a head that asks for an upgrade for bytes of the other protocol; they would become
    the next request.
    """
    # After CONNECT there is no body, whatever its headers say (RFC 9110, section 9.3.6).
    if method == b"CONNECT" or not any(_announces_body(name.lower(), value) for name, value in headers):
        return None
    lines = [b"%b: %b\r\n" % (name, value) for name, value in headers if name.lower() != b"upgrade"]
    return b"%b %b HTTP/%b\r\n%b\r\n" % (method, url, version.encode(), b"".join(lines))


def _announces_body(name: bytes, value: bytes) -> bool:
    return name == b"transfer-encoding" or (name == b"content-length" and int(value) > 0)
