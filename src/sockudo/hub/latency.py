"""How long events of back ends take from the outboxes to the sockets of all their subscribers here.

Strategy: the events of one tick are counted by app, kind of channel and size of the audience, which costs one addition
each, and the clock is read once. Before the flusher begins, a mark goes behind what is queued; when its turn comes,
everything before it is written, and the time that has passed is that of all events of the tick.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Final, TypeAlias

from sockudo.timing.histogram import Histogram

# Milliseconds.
BOUNDS: Final = (0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0)

_AUDIENCES: Final = (10, 100, 1000, 10_000)
_NAMES: Final = ("xs", "sm", "md", "lg", "xl")

Audience: TypeAlias = tuple[str, str, int]
"""An app, the label of the kind of a channel, and the number of a size."""


def size_name(size: int) -> str:
    """Return what a size of an audience is called."""
    return _NAMES[size]


class _Mark:
    """Stands in the flusher's queue behind everything of one tick."""

    __slots__ = ("_events", "_latency", "_since")

    def __init__(self, latency: BroadcastLatency, events: dict[Audience, int], since: float) -> None:
        self._latency = latency
        self._events = events
        self._since = since

    def flush(self) -> None:
        self._latency.observe(self._events, self._since)


class BroadcastLatency:
    """Measures broadcasts.

    Args:
        now: returns monotonic seconds.

    Attributes:
        histograms: milliseconds.
    """

    __slots__ = ("_events", "_now", "_since", "histograms")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._events: dict[Audience, int] = {}
        self._since = 0.0
        self.histograms: dict[Audience, Histogram] = {}

    def note(self, app_id: str, label: str, recipients: int) -> None:
        """Note that an event is queued for so many subscribers of a channel of this kind."""
        # hot path
        events = self._events
        if not events:
            self._since = self._now()
        audience = (app_id, label, bisect_left(_AUDIENCES, recipients))
        events[audience] = events.get(audience, 0) + 1

    def mark(self) -> _Mark | None:
        """Return what is to be flushed behind everything of this tick; None where no event was noted."""
        # hot path
        if not self._events:
            return None
        mark = _Mark(self, self._events, self._since)
        self._events = {}
        return mark

    def observe(self, events: dict[Audience, int], since: float) -> None:
        """Note that events of a tick have been written."""
        passed = (self._now() - since) * 1000
        for audience, times in events.items():
            histogram = self.histograms.get(audience)
            if histogram is None:
                histogram = self.histograms[audience] = Histogram(BOUNDS)
            histogram.add(passed, times)
