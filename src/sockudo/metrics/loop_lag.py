"""Measures how late the event loop is: a timer is due four times a second, and fires some time after that."""

from __future__ import annotations

from typing import Final

from sockudo.metrics.families import LAG_BOUNDS
from sockudo.timing.clock import Clock, Handle
from sockudo.timing.histogram import Histogram

INTERVAL: Final = 0.25


class LoopLag:
    """The lag of one event loop.

    Attributes:
        histogram: seconds.
    """

    def __init__(self, clock: Clock) -> None:
        self.histogram = Histogram(LAG_BOUNDS)
        self._clock = clock
        self._due = 0.0
        self._timer: Handle | None = None

    def start(self) -> None:
        """Begin to measure."""
        self._due = self._clock.monotonic() + INTERVAL
        self._timer = self._clock.call_later(INTERVAL, self._fire)

    def stop(self) -> None:
        """Measure no more; may be called again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self.histogram.add(max(0.0, self._clock.monotonic() - self._due))
        self.start()
