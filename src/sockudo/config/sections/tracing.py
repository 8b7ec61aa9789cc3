"""`tracing`: spans for OpenTelemetry."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sockudo.config.kinds.section import Section, env
from sockudo.config.kinds.values import Flag


class TracingSettings(Section):
    """Spans for OpenTelemetry. Its own variables (`OTEL_*`) say where they go and how many are taken."""

    enabled: Annotated[Flag, env("TRACING_ENABLED")] = Field(
        default=False,
        description="Whether publishes, messages between nodes, deliveries and webhooks are traced; needs "
        "`pip install 'sockudo[otel]'`. Not a setting of the original.",
    )
