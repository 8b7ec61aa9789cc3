"""Writes figures in the text format of Prometheus, version 0.0.4.

`prometheus-client` is imported with this module, and this module where `/metrics` is served.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric

from sockudo.metrics.families import FAMILIES, Family, FamilyType
from sockudo.metrics.figures import Figures, Labels, Value

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_TOTAL: Final = "_total"


class _Once:
    """A collector of figures that are there already."""

    def __init__(self, figures: Figures, prefix: str, port: str) -> None:
        self._figures = figures
        self._prefix = prefix
        self._port = port

    def collect(self) -> Iterator[Metric]:
        """Yield the families that have samples."""
        for family in FAMILIES.values():
            samples = self._figures.samples(family.name)
            if samples:
                yield self._metric(family, samples)

    def _metric(self, family: Family, samples: list[tuple[Labels, Value]]) -> Metric:
        name = f"{self._prefix}{family.name}"
        kind = "gauge" if is_plain(family) else family.kind.value
        metric = Metric(name.removesuffix(_TOTAL) if kind == "counter" else name, family.text, kind)
        for values, value in samples:
            labels = dict(zip(family.labels, values, strict=True)) | {"port": self._port}
            if isinstance(value, list):
                _add_histogram(metric, name, labels, family.bounds, value)
            else:
                metric.add_sample(name, labels, value)
        return metric


def is_plain(family: Family) -> bool:
    """Tell whether a family is a counter without `_total`."""
    return family.kind is FamilyType.COUNTER and not family.name.endswith(_TOTAL)


def exposition(figures: Figures, prefix: str, port: int) -> bytes:
    """Return figures as text; `port` is where clients reach the server."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(figures, prefix, str(port)))
    text = generate_latest(registry)
    # The library knows no counter without _total, so it was told that these are gauges.
    for family in filter(is_plain, FAMILIES.values()):
        name = f"# TYPE {prefix}{family.name}"
        text = text.replace(f"{name} gauge\n".encode(), f"{name} counter\n".encode())
    return text


def _add_histogram(
    metric: Metric, name: str, labels: dict[str, str], bounds: tuple[float, ...], value: list[float]
) -> None:
    *counts, total = value
    bound_names = [*map(_bound, bounds), "+Inf"]
    for bound, count in zip(bound_names, accumulate(counts), strict=True):
        metric.add_sample(f"{name}_bucket", labels | {"le": bound}, count)
    metric.add_sample(f"{name}_count", labels, sum(counts))
    metric.add_sample(f"{name}_sum", labels, total)


def _bound(bound: float) -> str:
    return f"{bound:g}"
