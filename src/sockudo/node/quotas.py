"""Enforces the per-second limits of each app on the HTTP API.

They are those of all nodes together: each tells the others at the end of the tick what it has let through, and counts
what they tell as if it had been asked here. What several nodes let through in the same few milliseconds may be more.
"""

from __future__ import annotations

from sockudo.apps.app import App
from sockudo.cluster.peers import Journal
from sockudo.pusher.errors import RequestRejected
from sockudo.ratelimit.window import SecondWindow
from sockudo.timing.clock import Clock


class AppQuotas:
    """Counts what each app publishes and reads. An app without limits costs a comparison."""

    def __init__(self, clock: Clock, journal: Journal) -> None:
        self._clock = clock
        self._journal = journal
        self._events: dict[str, SecondWindow] = {}
        self._reads: dict[str, SecondWindow] = {}

    def take_events(self, app: App, count: int) -> None:
        """Count `count` events to be published, all or none.

        Raises:
            RequestRejected: 429, over `max_backend_events_per_second`.
        """
        limit = app.max_backend_events_per_second
        if limit is not None:
            self._count(self._events, app, count, limit, "max_backend_events_per_second")
            self._journal.quota_used(app.id, events=count)

    def take_read(self, app: App) -> None:
        """Count one question.

        Raises:
            RequestRejected: 429, over `max_read_requests_per_second`.
        """
        limit = app.max_read_requests_per_second
        if limit is not None:
            self._count(self._reads, app, 1, limit, "max_read_requests_per_second")
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
            text = f"Too Many Requests: the limit is {limit} a second ({setting} of the app)"
            raise RequestRejected(429, text, retry_after=max(1, window.retry_after(now)))
