"""Checks the protocol version that a client asks for.

Source: Pusher docs, `library_auth_reference/pusher-websockets-protocol` ("Making a connection").
"""

from __future__ import annotations

from typing import Final

from sockudo.pusher.codes import Code
from sockudo.pusher.errors import CloseConnection

OLDEST: Final = 4
NEWEST: Final = 7


def parse_version(text: str | None) -> int:
    """Return the version in the `protocol` parameter of the URL; a client that names none gets the newest.

    Raises:
        CloseConnection: 4006 for a text that is not a number, 4007 for a version that the server does not speak.
    """
    if text is None:
        return NEWEST
    if not (text.isascii() and text.isdigit()):
        raise CloseConnection(Code.INVALID_VERSION, "Invalid version string format: protocol must be a number")
    # int() of thousands of digits is slow, and no such version exists.
    version = int(text) if len(text) <= 4 else NEWEST + 1
    if not OLDEST <= version <= NEWEST:
        raise CloseConnection(
            Code.UNSUPPORTED_VERSION,
            f"Unsupported protocol version: {text[:4]}; this server speaks versions {OLDEST} to {NEWEST}",
        )
    return version
