"""Holds the figures of one process, or of several together: values by family and labels, to be added and sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

import msgspec

from sockudo.metrics.families import FAMILIES, FamilyType
from sockudo.timing.histogram import Histogram
from sockudo.timing.slices import Steps

Labels: TypeAlias = tuple[str, ...]
Value: TypeAlias = float | list[float]
"""A number, or of a histogram the number of values in each bucket (not cumulated) and last their sum."""


# Samples that are added in one step.
_STEP: Final = 100


class Figures(msgspec.Struct):
    """Values of metric families.

    Attributes:
        values: name of a family -> values of its labels, in their order -> value.
    """

    values: dict[str, dict[str, Value]] = {}

    def set(self, name: str, value: float, *labels: str) -> None:
        """Add a value to a sample of a counter or a gauge."""
        samples = self.values.setdefault(name, {})
        key = _key(labels)
        present = samples.get(key, 0.0)
        assert not isinstance(present, list), f"{name} is no histogram"
        samples[key] = present + value

    def set_histogram(self, name: str, histogram: Histogram, *labels: str) -> None:
        """Add a histogram to a sample."""
        samples = self.values.setdefault(name, {})
        key = _key(labels)
        samples[key] = _sum(samples.get(key), [*map(float, histogram.counts), histogram.sum])

    def counters(self) -> Figures:
        """Return what is left of these figures when their process is gone: all but the gauges.

        Both share their samples, so nothing more may be set in either.
        """
        return Figures({name: kept for name, kept in self.values.items() if _kind(name) is not FamilyType.GAUGE})

    def samples(self, name: str) -> list[tuple[Labels, Value]]:
        """Return the samples of a family."""
        return [(labels_of(key), value) for key, value in sorted(self.values.get(name, {}).items())]


def added(parts: Iterable[Figures]) -> Steps[Figures]:
    """Add the figures of several processes; the parts stay as they are."""
    whole = Figures({})
    for part in parts:
        for name, samples in part.values.items():
            if name in whole.values:
                yield from _add(whole.values[name], samples, is_maximum=name in FAMILIES and FAMILIES[name].is_maximum)
            else:
                whole.values[name] = samples.copy()
                yield None
    return whole


def _add(into: dict[str, Value], samples: dict[str, Value], *, is_maximum: bool) -> Steps[None]:
    for number, (key, value) in enumerate(samples.items()):
        into[key] = _largest(into.get(key), value) if is_maximum else _sum(into.get(key), value)
        if number % _STEP == 0:
            yield None


def labels_of(key: str) -> Labels:
    """Return the values of labels that a key stands for."""
    return msgspec.json.decode(key, type=tuple[str, ...])


def _key(labels: Sequence[str]) -> str:
    return msgspec.json.encode(labels).decode()


def _kind(name: str) -> FamilyType | None:
    # Another version of the worker may have other families, while workers are replaced.
    return FAMILIES[name].kind if name in FAMILIES else None


def _sum(first: Value | None, second: Value) -> Value:
    if first is None:
        return second
    if isinstance(first, list) or isinstance(second, list):
        if not (isinstance(first, list) and isinstance(second, list) and len(first) == len(second)):
            return second
        return [one + other for one, other in zip(first, second, strict=True)]
    return first + second


def _largest(first: Value | None, second: Value) -> Value:
    if isinstance(first, float | int) and isinstance(second, float | int):
        return max(first, second)
    return second
