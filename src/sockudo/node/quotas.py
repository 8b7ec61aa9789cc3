"""Enforces the per-second limits of each app on the HTTP API.

The limits hold for all nodes together. Workers of one machine without a broker count in one place, so the limits are
exact (`share`). Otherwise each node tells the others at the end of the tick how much it has let through, and counts
their messages like requests of its own. Within those few milliseconds, several nodes together may exceed a limit.
"""

from __future__ import annotations

from typing import Final, Protocol

from sockudo.apps.app import App
from sockudo.cluster.peers import Journal
from sockudo.pusher.errors import RequestRejected
from sockudo.ratelimit.base import Decision, Limit
from sockudo.ratelimit.window import SecondWindow
from sockudo.timing.clock import Clock

_EVENTS: Final = "max_backend_events_per_second"
_READS: Final = "max_read_requests_per_second"


class SharedWindows(Protocol):
    """Windows in which several nodes count. They decide at once."""

    def consume(self, key: str, limit: Limit, cost: int = 1) -> Decision:
        """Take `cost` units of `limit` for `key`, all of them or none.

        Raises:
            DriverError: another node hangs while it counts.
        """
        ...


class AppQuotas:
    """Counts what each app publishes and reads. An app without limits costs a comparison."""

    def __init__(self, clock: Clock, journal: Journal) -> None:
        self._clock = clock
        self._journal = journal
        self._events: dict[str, SecondWindow] = {}
        self._reads: dict[str, SecondWindow] = {}
        self._shared: SharedWindows | None = None

    def share(self, windows: SharedWindows) -> None:
        """Count from now on where all other nodes count too."""
        self._shared = windows

    def take_events(self, app: App, count: int) -> None:
        """Count `count` events to be published, all or none.

        Raises:
            RequestRejected: 429, over `max_backend_events_per_second`.
        """
        limit = app.max_backend_events_per_second
        if limit is not None:
            if self._shared is not None:
                _take_shared(self._shared, f"events::{app.id}", count, limit, _EVENTS)
                return
            self._count(self._events, app, count, limit, _EVENTS)
            self._journal.quota_used(app.id, events=count)

    def take_read(self, app: App) -> None:
        """Count one question.

        Raises:
            RequestRejected: 429, over `max_read_requests_per_second`.
        """
        limit = app.max_read_requests_per_second
        if limit is not None:
            if self._shared is not None:
                _take_shared(self._shared, f"reads::{app.id}", 1, limit, _READS)
                return
            self._count(self._reads, app, 1, limit, _READS)
            self._journal.quota_used(app.id, reads=1)

    def used_elsewhere(self, app_id: str, events: int, reads: int) -> None:
        """Count what another node has let through."""
        now = self._clock.monotonic()
        for windows, used in ((self._events, events), (self._reads, reads)):
            if used:
                windows.setdefault(app_id, SecondWindow()).add(used, now)

    def _count(self, windows: dict[str, SecondWindow], app: App, cost: int, limit: int, setting: str) -> None:
        now = self._clock.monotonic()
        window = windows.get(app.id)
        if window is None:
            window = windows[app.id] = SecondWindow()
        if not window.take(cost, limit, now):
            raise _too_many(limit, setting, max(1, window.retry_after(now)))


def _take_shared(windows: SharedWindows, key: str, cost: int, limit: int, setting: str) -> None:
    decision = windows.consume(key, Limit(limit, 1), cost)
    if not decision.allowed:
        raise _too_many(limit, setting, decision.reset_after)


def _too_many(limit: int, setting: str, retry_after: int) -> RequestRejected:
    text = f"Too Many Requests: the limit is {limit} a second ({setting} of the app)"
    return RequestRejected(429, text, retry_after=retry_after)
