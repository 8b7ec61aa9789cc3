"""The base class of parts with work every second; it also keeps the current second for cheap reading."""

from __future__ import annotations

from typing import Final

from sockudo.timing.clock import Clock, Handle

TICK: Final = 1.0


class Ticker:
    """Base class of objects with work every second; each has one timer.

    Attributes:
        now: the current second of the monotonic clock, renewed once a second, so that noting a time costs one
            attribute.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._timer: Handle | None = None
        self.now = int(clock.monotonic())

    def start(self) -> None:
        """Begin to tick."""
        self.now = int(self._clock.monotonic())
        self._timer = self._clock.call_later(TICK, self._tick)

    def stop(self) -> None:
        """Stop ticking."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def second_passed(self) -> None:
        """Do the work of a second; `now` has been renewed."""
        raise NotImplementedError

    def _tick(self) -> None:
        # The timer comes first, so that work that fails once is tried again.
        self._timer = self._clock.call_later(TICK, self._tick)
        self.now = int(self._clock.monotonic())
        self.second_passed()
