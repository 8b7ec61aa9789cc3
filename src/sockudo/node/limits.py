"""The settings of a node that hold for all apps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NodeLimits:
    """Times are in seconds.

    Attributes:
        activity_timeout: silence after which a client is asked for a sign of life; told to clients at connect.
        pong_timeout: how long the answer may take.
        user_authentication_timeout: within which a connection must sign in or join a private or presence channel,
            where its app has user authentication; 0 means no limit.
        cache_ttl: how long the last event of a cache channel is kept.
        max_channels_per_connection: how many channels a connection may be on at a time; 0 means no limit.
        max_connections: how many connections this process may have; 0 means no limit.
    """

    activity_timeout: int = 120
    pong_timeout: int = 30
    user_authentication_timeout: int = 3600
    cache_ttl: int = 3600
    max_channels_per_connection: int = 1000
    max_connections: int = 0
