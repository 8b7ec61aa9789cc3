"""An app in the configuration: identity, switches, limits, webhooks and origins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

from pydantic import Field, ModelWrapValidatorHandler, model_validator

from sockudo.apps.origins import OriginError, normalise_pattern
from sockudo.config.checks.restrictions import dropped, refusal
from sockudo.config.kinds.rules import check_with_rules, rule_broken
from sockudo.config.kinds.section import Section
from sockudo.config.kinds.values import Check, Count, Flag, NullAsEmpty, OptionalCount, OptionalFlag, Words
from sockudo.config.sections.app_policy import HARMLESS, unfold
from sockudo.config.sections.webhook import WebhookSettings


class OriginPattern(Check):
    """A pattern of `allowed_origins`."""

    __slots__ = ()

    @property
    def expected(self) -> str:
        return 'an origin, a host, "*" or a pattern such as "*.example.com"'

    @property
    def type_name(self) -> str:
        return "origin pattern"

    def check(self, value: Any) -> str:
        if not isinstance(value, str):
            raise self.refuse()
        try:
            return normalise_pattern(value)
        except OriginError as error:
            raise self.refuse(str(error)) from None


class AppSettings(Section):
    """One app. A limit of null takes the global limit."""

    id: Words = Field(description="Name of the app in the paths of the HTTP API.")
    key: Words = Field(description="Public key that clients connect with.")
    # Never shown: not in repr, not in error texts, not in logs.
    secret: Words = Field(repr=False, description="Secret that signs requests and messages.")
    enabled: Flag = Field(default=True, description="Whether connections and HTTP requests are accepted.")
    max_connections: Count = Field(default=0, description="Connections at once; 0 means no limit.")
    enable_client_messages: Flag = Field(default=False, description="Whether clients may send client events.")
    max_client_events_per_second: Count = Field(
        default=0, description="Client events a connection may send a second; 0 means no limit."
    )
    max_backend_events_per_second: OptionalCount = Field(
        default=None, description="Events the HTTP API takes a second; null means no limit."
    )
    max_read_requests_per_second: OptionalCount = Field(
        default=None, description="Read requests the HTTP API takes a second; null means no limit."
    )
    max_presence_members_per_channel: OptionalCount = Field(
        default=None, description="Members of a presence channel; null takes presence.max_members_per_channel."
    )
    max_presence_member_size_in_kb: OptionalCount = Field(
        default=None, description="Size of a member's user_info (KB); null takes presence.max_member_size_in_kb."
    )
    max_channel_name_length: OptionalCount = Field(
        default=None, description="Length of a channel name; null takes channel_limits.max_name_length."
    )
    max_event_channels_at_once: OptionalCount = Field(
        default=None, description="Channels of one publish; null takes event_limits.max_channels_at_once."
    )
    max_event_name_length: OptionalCount = Field(
        default=None, description="Length of an event name; null takes event_limits.max_name_length."
    )
    max_event_payload_in_kb: OptionalCount = Field(
        default=None, description="Size of an event's data (KB); null takes event_limits.max_payload_in_kb."
    )
    max_event_batch_size: OptionalCount = Field(
        default=None, description="Events of one batch; null takes event_limits.max_batch_size."
    )
    enable_user_authentication: OptionalFlag = Field(
        default=False, description="Whether connections must sign in within user_authentication_timeout."
    )
    enable_watchlist_events: OptionalFlag = Field(default=False, description="Whether watchlist events are sent.")
    enable_subscription_count: OptionalFlag = Field(
        default=False, description="Whether subscribers receive their number. Not a setting of the original."
    )
    webhooks: Annotated[tuple[WebhookSettings, ...], NullAsEmpty()] = Field(
        default=(), description="Webhooks of the app."
    )
    allowed_origins: Annotated[tuple[Annotated[str, OriginPattern()], ...], NullAsEmpty()] = Field(
        default=(), description="Origins that may connect, with wildcards; an empty list or null allows all."
    )

    @model_validator(mode="wrap")
    @classmethod
    def _restricts_as_it_says(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(data, Mapping):
            return handler(data)
        app, known = unfold(data), tuple(cls.model_fields)
        broken = [rule_broken(place, sentence) for place, sentence in app.broken]
        broken += [rule_broken((key,), refusal(key, known)) for key in dropped(app.values, known, HARMLESS)]
        return check_with_rules(cls.__name__, app.values, handler, broken, app.places)


DEMO_APP: Final = AppSettings(id="1", key="app-key", secret="app-secret", enable_client_messages=True)
