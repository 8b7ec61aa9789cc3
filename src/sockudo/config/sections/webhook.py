"""A webhook in the configuration of an app: its URL or function, its events, and its filter."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Self

from pydantic import Field, ModelWrapValidatorHandler, model_validator
from pydantic_core import InitErrorDetails

from sockudo.apps.patterns import Pattern, PatternError
from sockudo.config.checks.restrictions import dropped, refusal, refusal_of_condition
from sockudo.config.kinds.rules import check_with_rules, rule_broken
from sockudo.config.kinds.section import Section
from sockudo.config.kinds.values import Check, NotEmpty, NullAsEmpty, OneOf, OptionalWords, Words
from sockudo.config.kinds.web_values import Token, WebUrl

EVENT_TYPES: Final = (
    "channel_occupied",
    "channel_vacated",
    "member_added",
    "member_removed",
    "client_event",
    "cache_miss",
    "subscription_count",
    "connection_established",
    "connection_terminated",
)
# Without DryRun, which would never call the function.
INVOCATION_TYPES: Final = ("Event", "RequestResponse")
CHANNEL_TYPES: Final = ("public", "private", "presence", "encrypted", "cache")


class ChannelPattern(Check):
    """A regular expression."""

    __slots__ = ()

    @property
    def expected(self) -> str:
        return "a regular expression"

    def check(self, value: Any) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.refuse()
        if not value:
            raise self.refuse("is empty, and would match every channel: leave it out if that is meant")
        try:
            return Pattern(value).text
        except PatternError as error:
            raise self.refuse(str(error)) from None


class HeaderValue(Check):
    """The value of an HTTP header. It is often a credential, so it is never quoted."""

    __slots__ = ()

    @property
    def expected(self) -> str:
        return "a string without line breaks and other control characters"

    def check(self, value: Any) -> str:
        if not isinstance(value, str):
            raise self.refuse_unquoted()
        for place, character in enumerate(value, 1):
            if character != "\t" and unicodedata.category(character) in ("Cc", "Cs"):
                raise self.refuse_unquoted(f"has the character U+{ord(character):04X} at place {place}")
        return value


class WebhookLambda(Section):
    """The AWS Lambda function that a webhook invokes."""

    function_name: Words = Field(description="Name or ARN of the function.")
    region: Words = Field(default="us-east-1", description="AWS region of the function.")
    invocation_type: Annotated[str, OneOf(INVOCATION_TYPES)] = Field(
        default="Event", description="Whether the server waits for the function (RequestResponse) or not (Event)."
    )
    qualifier: OptionalWords = Field(default=None, description="Version or alias of the function.")
    endpoint_url: Annotated[str | None, WebUrl()] = Field(
        default=None, repr=False, description="Endpoint, if it is not AWS."
    )


class WebhookFilter(Section):
    """Conditions on the channel of an event; all that are given must hold."""

    channel_type: Annotated[str | None, OneOf(CHANNEL_TYPES, null=True)] = Field(
        default=None, description="Kind of channel."
    )
    channel_prefix: OptionalWords = Field(default=None, description="Beginning of the channel name.")
    channel_suffix: OptionalWords = Field(default=None, description="End of the channel name.")
    channel_pattern: Annotated[str | None, ChannelPattern()] = Field(
        default=None, description="Regular expression (RE2) for the channel name, matched anywhere in it."
    )

    @model_validator(mode="wrap")
    @classmethod
    def _has_known_conditions(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(data, Mapping):
            return handler(data)
        known = tuple(cls.model_fields)
        unknown = [key for key, value in data.items() if key not in known and value is not None]
        broken = [rule_broken((key,), refusal_of_condition(key, known)) for key in unknown]
        return check_with_rules(cls.__name__, data, handler, broken)


class WebhookSettings(Section):
    """One entry of an app's `webhooks`."""

    # A webhook URL and its headers often carry credentials, so neither is shown.
    url: Annotated[str | None, WebUrl(secret_path=True)] = Field(
        default=None, repr=False, description="URL that receives the events."
    )
    lambda_: WebhookLambda | None = Field(
        default=None, alias="lambda", description="Or the AWS Lambda function to invoke."
    )
    lambda_function: OptionalWords = Field(
        default=None, description="Or, as in old files, the name of a function in us-east-1."
    )
    event_types: Annotated[tuple[Annotated[str, OneOf(EVENT_TYPES)], ...], NotEmpty()] = Field(
        description="Which events are sent."
    )
    filter: WebhookFilter | None = Field(default=None, description="Conditions on the channel of an event.")
    headers: Annotated[dict[Annotated[str, Token("a header")], Annotated[str, HeaderValue()]], NullAsEmpty(dict)] = (
        Field(default_factory=dict, repr=False, description="HTTP headers to add.")
    )

    @model_validator(mode="wrap")
    @classmethod
    def _has_one_target(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        return check_with_rules(cls.__name__, data, handler, list(_broken_rules(data)))


# The keys of a webhook, without the conditions of its filter.
_KEYS: Final = (*WebhookSettings.model_fields, "lambda")
_CONDITIONS: Final = tuple(WebhookFilter.model_fields)


def _broken_rules(data: Any) -> Iterator[InitErrorDetails]:
    if not isinstance(data, Mapping):
        return
    has_function = any(data.get(key) is not None for key in ("lambda", "lambda_", "lambda_function"))
    if has_function == (data.get("url") is not None):
        yield rule_broken((), "needs either url or lambda (or lambda_function)")
    for key in dropped(data, _KEYS):
        if key in _CONDITIONS:
            yield rule_broken((key,), "is a condition and belongs into filter; here every channel would pass")
        else:
            yield rule_broken((key,), refusal(key, (*_KEYS, *_CONDITIONS)))
