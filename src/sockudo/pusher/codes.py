"""Error and close codes of the Pusher protocol, and what each asks of the client.

Source: Pusher docs, `library_auth_reference/pusher-websockets-protocol` ("Error codes").
A code below 4300 also closes the connection with the same code; the hundreds digit tells
client libraries how to come back.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Code(IntEnum):
    """What can be wrong with a connection (40xx-42xx) or with one of its commands (43xx)."""

    TLS_REQUIRED = 4000
    APP_UNKNOWN = 4001
    APP_DISABLED = 4003
    OVER_QUOTA = 4004
    PATH_NOT_FOUND = 4005
    INVALID_VERSION = 4006
    UNSUPPORTED_VERSION = 4007
    NO_VERSION = 4008
    UNAUTHORIZED = 4009
    OVER_CAPACITY = 4100
    RECONNECT = 4200
    PONG_NOT_RECEIVED = 4201
    INACTIVE = 4202
    CLIENT_EVENT_REJECTED = 4301
    WATCHLIST_TOO_LONG = 4302


class Reaction(StrEnum):
    """What client libraries do when a connection closes with a code."""

    GIVE_UP = "do not reconnect with the same parameters"
    BACK_OFF = "reconnect after a second or more"
    RECONNECT = "reconnect at once"
    REPORT = "report; the connection stays open"


def reaction(code: int) -> Reaction:
    """Return what a client library does on `code` (4000-4399)."""
    if code < 4100:
        return Reaction.GIVE_UP
    if code < 4200:
        return Reaction.BACK_OFF
    if code < 4300:
        return Reaction.RECONNECT
    return Reaction.REPORT
