"""`metrics`: settings for Prometheus; checked, without effect in this version."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sockudo.config.kinds.hosts import HostName
from sockudo.config.kinds.section import Section, env
from sockudo.config.kinds.values import Flag, OneOf, Whole, Words


class PrometheusSettings(Section):
    """The driver `prometheus`."""

    prefix: Annotated[Words, env("METRICS_PROMETHEUS_PREFIX", "PROMETHEUS_METRICS_PREFIX")] = Field(
        default="sockudo_", description="Beginning of the names of all figures."
    )


class MetricsSettings(Section):
    """The figures for Prometheus."""

    # True in the original. A default must not promise a feature that is missing.
    enabled: Annotated[Flag, env("METRICS_ENABLED")] = Field(
        default=False,
        description="Whether `/metrics` is served. Off by default, unlike the original, because this version has no "
        "`/metrics` yet; the server warns if it is on.",
    )
    driver: Annotated[Literal["prometheus"], OneOf(("prometheus",)), env("METRICS_DRIVER")] = Field(
        default="prometheus", description="Form of the figures."
    )
    host: Annotated[HostName, env("METRICS_HOST")] = Field(default="0.0.0.0", description="Address to listen on.")
    port: Annotated[int, Whole(0, 65535), env("METRICS_PORT")] = Field(
        default=9601, description="TCP port to listen on; 0 takes a free one."
    )
    prometheus: PrometheusSettings = Field(default_factory=PrometheusSettings, description="The driver prometheus.")

    def advice(self) -> list[str]:
        """Warn if metrics are on, which this version does not have."""
        return ["metrics.enabled has no effect: this version has no /metrics yet"] if self.enabled else []
