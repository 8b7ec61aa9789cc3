"""The per-second limits of each app on the HTTP API."""

from __future__ import annotations

from sockudo.apps.app import App
from sockudo.clock import Clock
from sockudo.pusher.errors import RequestRejected
from sockudo.ratelimit.window import SecondWindow


class AppQuotas:
    """Counts what each app publishes and reads. An app without limits costs a comparison."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._events: dict[str, SecondWindow] = {}
        self._reads: dict[str, SecondWindow] = {}

    def take_events(self, app: App, count: int) -> None:
        """Count `count` events to be published, all or none.

        Raises:
            RequestRejected: 429, over `max_backend_events_per_second`.
        """
        limit = app.max_backend_events_per_second
        if limit is not None:
            self._take(self._events, app, count, limit, "max_backend_events_per_second")

    def take_read(self, app: App) -> None:
        """Count one question.

        Raises:
            RequestRejected: 429, over `max_read_requests_per_second`.
        """
        limit = app.max_read_requests_per_second
        if limit is not None:
            self._take(self._reads, app, 1, limit, "max_read_requests_per_second")

    def _take(self, windows: dict[str, SecondWindow], app: App, cost: int, limit: int, setting: str) -> None:
        now = self._clock.monotonic()
        window = windows.get(app.id)
        if window is None:
            window = windows[app.id] = SecondWindow()
        if not window.take(cost, limit, now):
            text = f"Too Many Requests: the limit is {limit} a second ({setting} of the app)"
            raise RequestRejected(429, text, retry_after=max(1, window.retry_after(now)))
