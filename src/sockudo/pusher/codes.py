"""Error and close codes of the Pusher protocol.

Source: Pusher docs, `library_auth_reference/pusher-websockets-protocol` ("Error codes").
A code below 4300 also closes the connection with the same code; the hundreds digit tells
client libraries how to come back.
"""

from __future__ import annotations

from enum import IntEnum


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
