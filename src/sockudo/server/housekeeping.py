"""Runs the periodic jobs of the server: one every second, one at a longer interval."""

from __future__ import annotations

from collections.abc import Callable


class Housekeeping:
    """Runs one job every second and another every so many seconds."""

    def __init__(self, every_second: Callable[[], None], sweep: Callable[[], object], sweep_seconds: int) -> None:
        self._every_second = every_second
        self._sweep = sweep
        self._sweep_seconds = sweep_seconds
        self._seconds = 0

    def tick(self) -> None:
        """Note that a second has passed."""
        self._every_second()
        self._seconds += 1
        if self._seconds >= self._sweep_seconds:
            self._seconds = 0
            self._sweep()
