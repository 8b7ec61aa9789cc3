"""The app that environment variables describe, for containers without a configuration file.

Each limit defaults to 100 here, as in the original, although an app in a file has no such limits.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from sockudo.config.kinds.section import Section, env
from sockudo.config.kinds.values import Count, Flag, OptionalWords
from sockudo.config.sections.app import OriginPattern

_P: Final = "SOCKUDO_DEFAULT_APP_"
# Without all of these there is no app.
IDENTITY: Final = (f"{_P}ID", f"{_P}KEY", f"{_P}SECRET")


class DefaultAppSettings(Section):
    """The app is added when id, key and secret are all set and it is enabled.

    If a file has an app with this id, values here replace the values there.
    """

    id: Annotated[OptionalWords, env(_P + "ID")] = Field(default=None, description="Id of the app.")
    key: Annotated[OptionalWords, env(_P + "KEY")] = Field(default=None, description="Key of the app.")
    secret: Annotated[OptionalWords, env(_P + "SECRET")] = Field(
        default=None, repr=False, description="Secret of the app."
    )
    enabled: Annotated[Flag, env(_P + "ENABLED")] = Field(default=True, description="Whether the app is added.")
    enable_client_messages: Annotated[Flag, env("SOCKUDO_ENABLE_CLIENT_MESSAGES")] = Field(
        default=False, description="Whether clients may send client events."
    )
    max_connections: Annotated[Count, env(_P + "MAX_CONNECTIONS")] = Field(
        default=100, description="Connections at once; 0 means no limit."
    )
    max_client_events_per_second: Annotated[Count, env(_P + "MAX_CLIENT_EVENTS_PER_SECOND")] = Field(
        default=100, description="Client events a connection may send a second; 0 means no limit."
    )
    max_backend_events_per_second: Annotated[Count, env(_P + "MAX_BACKEND_EVENTS_PER_SECOND")] = Field(
        default=100, description="Events the HTTP API takes a second."
    )
    max_read_requests_per_second: Annotated[Count, env(_P + "MAX_READ_REQUESTS_PER_SECOND")] = Field(
        default=100, description="Read requests the HTTP API takes a second."
    )
    max_presence_members_per_channel: Annotated[Count, env(_P + "MAX_PRESENCE_MEMBERS_PER_CHANNEL")] = Field(
        default=100, description="Members of a presence channel."
    )
    max_presence_member_size_in_kb: Annotated[Count, env(_P + "MAX_PRESENCE_MEMBER_SIZE_IN_KB")] = Field(
        default=100, description="Size of a member's user_info (KB)."
    )
    max_channel_name_length: Annotated[Count, env(_P + "MAX_CHANNEL_NAME_LENGTH")] = Field(
        default=100, description="Length of a channel name."
    )
    max_event_channels_at_once: Annotated[Count, env(_P + "MAX_EVENT_CHANNELS_AT_ONCE")] = Field(
        default=100, description="Channels of one publish."
    )
    max_event_name_length: Annotated[Count, env(_P + "MAX_EVENT_NAME_LENGTH")] = Field(
        default=100, description="Length of an event name."
    )
    max_event_payload_in_kb: Annotated[Count, env(_P + "MAX_EVENT_PAYLOAD_IN_KB")] = Field(
        default=100, description="Size of an event's data (KB)."
    )
    max_event_batch_size: Annotated[Count, env(_P + "MAX_EVENT_BATCH_SIZE")] = Field(
        default=100, description="Events of one batch."
    )
    enable_user_authentication: Annotated[Flag, env(_P + "ENABLE_USER_AUTHENTICATION")] = Field(
        default=False, description="Whether connections must sign in."
    )
    enable_watchlist_events: Annotated[Flag, env(_P + "ENABLE_WATCHLIST_EVENTS")] = Field(
        default=False, description="Whether watchlist events are sent."
    )
    allowed_origins: Annotated[tuple[Annotated[str, OriginPattern()], ...], env(_P + "ALLOWED_ORIGINS")] = Field(
        default=(), description="Origins that may connect; unset allows all."
    )
