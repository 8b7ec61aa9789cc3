"""`metrics`: settings for Prometheus."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sockudo.config.kinds.hosts import HostName
from sockudo.config.kinds.metrics_values import BearerToken, NamePrefix
from sockudo.config.kinds.section import Section, env
from sockudo.config.kinds.values import Flag, OneOf, Whole


class PrometheusSettings(Section):
    """The driver `prometheus`."""

    prefix: Annotated[str, NamePrefix(), env("METRICS_PROMETHEUS_PREFIX", "PROMETHEUS_METRICS_PREFIX")] = Field(
        default="sockudo_", description="Beginning of the names of all figures."
    )


class MetricsSettings(Section):
    """The figures for Prometheus."""

    # True in the original. The second port stays closed unless the operator asks for it.
    enabled: Annotated[Flag, env("METRICS_ENABLED")] = Field(
        default=False,
        description="Whether `GET /metrics` is served, on an address of its own. Off by default, unlike the original, "
        "because it opens another port on all addresses.",
    )
    driver: Annotated[Literal["prometheus"], OneOf(("prometheus",)), env("METRICS_DRIVER")] = Field(
        default="prometheus", description="Form of the figures."
    )
    host: Annotated[HostName, env("METRICS_HOST")] = Field(default="0.0.0.0", description="Address to listen on.")
    port: Annotated[int, Whole(0, 65535), env("METRICS_PORT")] = Field(
        default=9601, description="TCP port to listen on; 0 takes a free one, which the log names."
    )
    token: Annotated[str | None, BearerToken(), env("METRICS_TOKEN")] = Field(
        default=None,
        repr=False,
        description="What scrapers send as `Authorization: Bearer TOKEN`; without one, everybody who reaches the port "
        "can read the figures.",
    )
    prometheus: PrometheusSettings = Field(default_factory=PrometheusSettings, description="The driver prometheus.")
