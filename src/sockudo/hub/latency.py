"""How long events of back ends take from the outboxes to the sockets of all their subscribers here.

Strategy: the events of one tick are counted by app, kind of channel and size of the audience, and the clock is read
once. An event whose audience is like that of the one before costs an addition and a few comparisons. When the flusher
has written everything of the tick, the elapsed time counts for each of its events. If that takes several turns, a mark
at the end of the queue shows when it is done.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Final, TypeAlias

from sockudo.timing.histogram import Histogram

# Milliseconds.
BOUNDS: Final = (0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0)

# The upper bounds of the sizes; whole numbers, so that comparing stays cheap.
_AUDIENCES: Final = (10, 100, 1000, 10_000)
_LIMITS: Final = (0, *_AUDIENCES, 2**62)
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
        pending: events of this tick.
    """

    __slots__ = ("_app_id", "_events", "_high", "_label", "_low", "_now", "_run", "_since", "histograms", "pending")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._since = 0.0
        # The audience of the last event, and how many of the pending events had others.
        self._app_id = self._label = ""
        self._low = self._high = 0
        self._run = 0
        self._events: dict[Audience, int] = {}
        self.histograms: dict[Audience, Histogram] = {}
        self.pending = 0

    def note(self, app_id: str, label: str, recipients: int) -> None:
        """Note that an event is queued for so many subscribers of a channel of this kind."""
        # hot path
        if not self.pending:
            self._since = self._now()
        if label is not self._label or app_id is not self._app_id or not self._low < recipients <= self._high:
            self._turn_to(app_id, label, recipients)
        self.pending += 1

    def mark(self) -> _Mark:
        """Return what is to be flushed behind everything of this tick."""
        self._end_run()
        mark = _Mark(self, self._events, self._since)
        self._events, self.pending, self._run = {}, 0, 0
        return mark

    def written(self) -> None:
        """Note that everything of this tick has been written."""
        self.mark().flush()

    def observe(self, events: dict[Audience, int], since: float) -> None:
        """Note that events of a tick have been written."""
        passed = (self._now() - since) * 1000
        for audience, times in events.items():
            histogram = self.histograms.get(audience)
            if histogram is None:
                histogram = self.histograms[audience] = Histogram(BOUNDS)
            histogram.add(passed, times)

    def _turn_to(self, app_id: str, label: str, recipients: int) -> None:
        """Count those that come now for another audience."""
        self._end_run()
        size = bisect_left(_AUDIENCES, recipients)
        self._app_id, self._label, self._low, self._high = app_id, label, _LIMITS[size], _LIMITS[size + 1]

    def _end_run(self) -> None:
        times = self.pending - self._run
        if times:
            audience = self._app_id, self._label, bisect_left(_AUDIENCES, self._high)
            self._events[audience] = self._events.get(audience, 0) + times
            self._run = self.pending
