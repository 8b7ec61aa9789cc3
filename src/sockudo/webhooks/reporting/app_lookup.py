"""Apps for those who cannot wait for them.

In a cluster a node speaks for channels that nobody is on here, so their app may be one that it has had nothing to do
with yet. Where apps are in a database it is asked for then, and what happens meanwhile is kept by who asked here.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from typing import Final

from sockudo.apps.app import App
from sockudo.apps.base import AppFinder
from sockudo.eventual import Future
from sockudo.timing.clock import Clock, Handle

# How long it is believed that there is no app, and how long it is waited after a question that failed.
ABSENT_SECONDS: Final = 5.0
AGAIN_SECONDS: Final = 1.0
_MOST_ABSENT: Final = 10_000
# Ids that are asked for at once. What happens in more apps than that is not told.
MOST_ASKED: Final = 10_000


class Asked(Enum):
    """What stands for an app that is being asked for."""

    ASKED = auto()


ASKED: Final = Asked.ASKED


class AppLookup:
    """Finds an app, or asks for it.

    Args:
        looked_up: called with the id of an app that was asked for: it is there, or there is none, or it is to be asked
            for once more, which `find` does.
    """

    def __init__(self, apps: AppFinder, clock: Clock, looked_up: Callable[[str], None]) -> None:
        self._apps = apps
        self._clock = clock
        self._looked_up = looked_up
        # The ids that are asked for, with a timer once that has failed.
        self._asked: dict[str, Handle | None] = {}
        # Ids that no app has, and until when that is believed.
        self._absent: dict[str, float] = {}
        self._is_stopped = False

    def find(self, app_id: str) -> App | Asked | None:
        """Return an app, or None where there is none, or that it is being asked for."""
        # Also while it is known already: who keeps something of it hears of it first.
        if app_id in self._asked:
            return ASKED
        app = self._apps.known(app_id)
        if app is not None or self._is_absent(app_id) or len(self._asked) >= MOST_ASKED:
            return app
        answer = self._apps.by_id(app_id)
        if not isinstance(answer, Future):
            return answer
        if self._is_stopped:
            return None
        self._asked[app_id] = None
        answer.add_done_callback(partial(self._answered, app_id))
        return ASKED

    def stop(self) -> None:
        """Ask for nothing any more."""
        self._is_stopped = True
        for timer in self._asked.values():
            if timer is not None:
                timer.cancel()
        self._asked.clear()

    def _answered(self, app_id: str, answer: Future[App | None]) -> None:
        failed = answer.cancelled() or answer.exception() is not None
        if self._is_stopped:
            return
        if failed:
            self._asked[app_id] = self._clock.call_later(AGAIN_SECONDS, partial(self._settle, app_id))
            return
        if answer.result() is None:
            while len(self._absent) >= _MOST_ABSENT:
                del self._absent[next(iter(self._absent))]
            self._absent[app_id] = self._clock.monotonic() + ABSENT_SECONDS
        self._settle(app_id)

    def _settle(self, app_id: str) -> None:
        del self._asked[app_id]
        self._looked_up(app_id)

    def _is_absent(self, app_id: str) -> bool:
        until = self._absent.get(app_id)
        if until is None:
            return False
        if self._clock.monotonic() < until:
            return True
        del self._absent[app_id]
        return False
