"""Keeps the transitions that nodes reported in the last minute, so that no other node reports them again."""

from __future__ import annotations

from typing import Final

from sockudo.timing.clock import Clock
from sockudo.webhooks.reporting.pending import Key

SECONDS: Final = 60.0
MOST: Final = 20_000


class Recent:
    """The last report of each key, for a minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._reports: dict[Key, tuple[bool, float]] = {}

    def __len__(self) -> int:
        return len(self._reports)

    def add(self, key: Key, is_there: bool) -> None:
        """Note that a node has reported a transition."""
        now = self._clock.monotonic()
        self._reports.pop(key, None)
        self._reports[key] = (is_there, now)
        while len(self._reports) > MOST or next(iter(self._reports.values()))[1] < now - SECONDS:
            del self._reports[next(iter(self._reports))]

    def keep_only(self, seconds: float) -> None:
        """Forget reports that are older than `seconds`."""
        since = self._clock.monotonic() - seconds
        self._reports = {key: report for key, report in self._reports.items() if report[1] >= since}

    def last(self, key: Key) -> bool | None:
        """Return what the last report of a key said, or None if that is long ago."""
        report = self._reports.get(key)
        return None if report is None or report[1] < self._clock.monotonic() - SECONDS else report[0]
