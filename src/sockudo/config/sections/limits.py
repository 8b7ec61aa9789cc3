"""Limits: channel names, events, presence, the HTTP API and WebSocket buffers."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from sockudo.config.kinds.section import Section, env
from sockudo.config.kinds.values import Count, Flag, OneOf, Positive, Share

# The names that Sockudo has for windows of its compressors.
_WINDOWS: Final = tuple(f"window{size}" for size in ("256b", "1kb", "2kb", "4kb", "8kb", "16kb", "32kb"))


class ChannelLimits(Section):
    """Limits on channels."""

    max_name_length: Positive = Field(default=200, description="Length of a channel name.")
    cache_ttl: Positive = Field(default=3600, description="How long a cache channel keeps its last event (seconds).")
    max_channels_per_connection: Annotated[Count, env("CHANNEL_LIMITS_MAX_CHANNELS_PER_CONNECTION")] = Field(
        default=1000,
        description="The most channels of a connection at a time; 0 means no limit. Not a setting of the original.",
    )


class EventLimits(Section):
    """Limits on events; an app may have its own."""

    max_channels_at_once: Positive = Field(default=100, description="Channels of one publish.")
    max_name_length: Positive = Field(default=200, description="Length of an event name.")
    max_payload_in_kb: Positive = Field(default=100, description="Size of an event's data (KB).")
    max_batch_size: Positive = Field(default=10, description="Events of one batch.")


class PresenceLimits(Section):
    """Limits on presence channels; an app may have its own."""

    max_members_per_channel: Positive = Field(default=100, description="Members of a presence channel.")
    max_member_size_in_kb: Positive = Field(default=2, description="Size of a member's user_info (KB).")


class AcceptTraffic(Section):
    """The load above which the server refuses new work."""

    memory_threshold: Annotated[float, Share()] = Field(
        default=0.9,
        description="Share of the machine's memory in use above which new connections and events are refused.",
    )


class HttpApiSettings(Section):
    """The HTTP API."""

    request_limit_in_mb: Positive = Field(default=10, description="Size of a request body (MB).")
    response_limit_in_mb: Positive = Field(
        default=10, description="Size of an answer about channels (MB). Not a setting of the original."
    )
    max_bodies_in_flight_mb: Positive = Field(
        default=100,
        description="Size of all request bodies that arrive at once (MB); at least request_limit_in_mb. "
        "Not a setting of the original.",
    )
    accept_traffic: AcceptTraffic = Field(
        default_factory=AcceptTraffic, description="The load above which the server refuses new work."
    )
    unknown_channel_not_found: Flag = Field(
        default=False,
        description="Answer 404 for a channel without subscribers, instead of occupied: false. "
        "Not a setting of the original.",
    )


class WebSocketSettings(Section):
    """WebSocket connections."""

    compression: Annotated[str, OneOf(("disabled", "shared", "dedicated", *_WINDOWS)), env("WEBSOCKET_COMPRESSION")] = (
        Field(
            default="disabled",
            description="Compression of messages (permessage-deflate) for clients that offer it. An event is "
            "compressed once for all of them, and no connection keeps a window; every other name means shared.",
        )
    )
    compression_min_bytes: Annotated[Count, env("WEBSOCKET_COMPRESSION_MIN_BYTES")] = Field(
        default=512,
        description="Length of the shortest message that is compressed (bytes). Not a setting of the original.",
    )

    max_buffer_kb: Positive = Field(
        default=1024,
        description="Unsent data a connection may have (KB) before it is dropped as too slow. "
        "Not a setting of the original.",
    )

    def advice(self) -> list[str]:
        """Say that a way to compress which the server does not have means the one that it has."""
        if self.compression in ("disabled", "shared"):
            return []
        return [
            f'websocket.compression "{self.compression}" means "shared" here: an event is compressed once for all '
            "clients, and no connection has a window of its own"
        ]
