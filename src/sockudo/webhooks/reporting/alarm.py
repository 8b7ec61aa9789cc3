"""One timer for many times: it fires at the earliest of them."""

from __future__ import annotations

from collections.abc import Callable

from sockudo.timing.clock import Clock, Handle


class Alarm:
    """Fires once at the earliest time that it was set to; the owner then sets it again."""

    def __init__(self, clock: Clock, ring: Callable[[], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._timer: Handle | None = None
        self._at = float("inf")

    def set(self, at: float) -> None:
        """Fire at a time (monotonic seconds), unless it is set to an earlier time already."""
        if self._timer is not None:
            if self._at <= at:
                return
            self._timer.cancel()
        self._at = at
        self._timer = self._clock.call_later(max(0.0, at - self._clock.monotonic()), self._rung)

    def stop(self) -> None:
        """Cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rung(self) -> None:
        self._timer = None
        self._ring()
