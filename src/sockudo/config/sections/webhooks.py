"""`webhooks`: how the server delivers the webhooks of all apps; `webhook.py` is about one webhook of an app."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from sockudo.config.kinds.section import Section, env
from sockudo.config.kinds.values import Flag, Whole

_ADDED: Final = "Not a setting of the original."


class WebhookBatchingSettings(Section):
    """Several events in one request."""

    enabled: Annotated[Flag, env("WEBHOOK_BATCHING_ENABLED")] = Field(
        default=True, description="Whether one request may have several events for an endpoint."
    )
    duration: Annotated[int, Whole(0, 60_000), env("WEBHOOK_BATCHING_DURATION")] = Field(
        default=50, description="How long the server collects events (milliseconds)."
    )


class WebhooksSettings(Section):
    """The delivery of the webhooks of all apps."""

    batching: WebhookBatchingSettings = Field(
        default_factory=WebhookBatchingSettings, description="Several events in one request."
    )
    hold_ms: Annotated[int, Whole(0, 60_000), env("WEBHOOK_HOLD_MS")] = Field(
        default=3000,
        description="How long the server holds channel_vacated and member_removed; it drops them if the channel or the "
        f"member comes back (milliseconds). {_ADDED}",
    )
    max_attempts: Annotated[int, Whole(1, 9), env("WEBHOOK_MAX_ATTEMPTS")] = Field(
        default=9,
        description="Attempts at a delivery, 1, 2, 4, ... seconds apart and within 300 seconds in all, before it "
        f"counts as failed. {_ADDED}",
    )
    concurrency: Annotated[int, Whole(1, 1000), env("WEBHOOK_CONCURRENCY")] = Field(
        default=20, description=f"Requests to endpoints at once, of this process. {_ADDED}"
    )
    request_timeout_ms: Annotated[int, Whole(100, 60_000), env("WEBHOOK_REQUEST_TIMEOUT_MS")] = Field(
        default=10_000, description=f"How long an endpoint may take to answer (milliseconds). {_ADDED}"
    )
    allow_private: Annotated[Flag, env("WEBHOOK_ALLOW_PRIVATE")] = Field(
        default=True,
        description="Whether the server calls endpoints on loopback, private and link-local addresses. Switch it off "
        f"if the people who configure apps must not reach the server's network. {_ADDED}",
    )
