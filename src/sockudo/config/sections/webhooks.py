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
        default=True, description="Whether events for the same endpoint are collected; off, each is a request."
    )
    duration: Annotated[int, Whole(0, 60_000), env("WEBHOOK_BATCHING_DURATION")] = Field(
        default=50, description="How long events are collected (milliseconds)."
    )


class WebhooksSettings(Section):
    """How the webhooks of all apps are delivered."""

    batching: WebhookBatchingSettings = Field(
        default_factory=WebhookBatchingSettings, description="Several events in one request."
    )
    hold_ms: Annotated[int, Whole(0, 60_000), env("WEBHOOK_HOLD_MS")] = Field(
        default=3000,
        description="How long channel_vacated and member_removed are held, and dropped if the channel or the member "
        f"comes back (milliseconds). {_ADDED}",
    )
    max_attempts: Annotated[int, Whole(1, 9), env("WEBHOOK_MAX_ATTEMPTS")] = Field(
        default=9,
        description="How often a delivery is tried, 1, 2, 4, ... seconds apart and for less than 300 seconds in all, "
        f"before it counts as failed. {_ADDED}",
    )
    concurrency: Annotated[int, Whole(1, 1000), env("WEBHOOK_CONCURRENCY")] = Field(
        default=20, description=f"Requests to endpoints at once, of this process. {_ADDED}"
    )
    request_timeout_ms: Annotated[int, Whole(100, 60_000), env("WEBHOOK_REQUEST_TIMEOUT_MS")] = Field(
        default=10_000, description=f"How long an endpoint may take to answer (milliseconds). {_ADDED}"
    )
    allow_private: Annotated[Flag, env("WEBHOOK_ALLOW_PRIVATE")] = Field(
        default=True,
        description="Whether endpoints on loopback, private and link-local addresses are called. Switch it off where "
        f"those who configure apps must not reach the network that the server is in. {_ADDED}",
    )
