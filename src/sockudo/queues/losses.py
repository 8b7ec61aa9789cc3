"""Counts lost jobs, and logs them at a bounded rate."""

from __future__ import annotations

from typing import Final

from sockudo.log import get_logger
from sockudo.timing.clock import Clock

_QUIET: Final = 10.0

_log = get_logger("queue")


class Losses:
    """The jobs that one queue of this process has lost since its start."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.total = 0
        self._told = 0
        self._speaks_at = clock.monotonic()

    def add(self, number: int, reason: str) -> None:
        """Count lost jobs. They are logged at once, but not more than once in ten seconds."""
        if number <= 0:
            return
        self.total += number
        if self._clock.monotonic() >= self._speaks_at:
            self._speaks_at = self._clock.monotonic() + _QUIET
            self.tell(reason)

    def tell(self, reason: str) -> None:
        """Log the losses that were not logged yet, at the end of a queue."""
        if self.total > self._told:
            _log.error("webhook queue: jobs are lost", number=self.total - self._told, reason=reason)
            self._told = self.total
