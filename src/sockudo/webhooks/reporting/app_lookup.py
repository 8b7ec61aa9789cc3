"""Finds apps for the webhook reports without waiting, and looks them up in the background.

A node may own channels without subscribers here, so it may not know their app yet. If apps are in a database, it then
looks the app up, and the caller keeps its events until the answer.
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

# How long an app counts as absent, and how long to wait after a failed look-up.
ABSENT_SECONDS: Final = 5.0
AGAIN_SECONDS: Final = 1.0
_MOST_ABSENT: Final = 10_000
# The most look-ups at once. Events of further apps are not reported.
MOST_ASKED: Final = 10_000


class Asked(Enum):
    """The marker for an app whose look-up is under way."""

    ASKED = auto()


ASKED: Final = Asked.ASKED


class AppLookup:
    """Finds an app, or starts its look-up.

    Args:
        looked_up: called with the id of an app when its look-up has ended, or failed and may be repeated; the callee
            calls `find` again.
    """

    def __init__(self, apps: AppFinder, clock: Clock, looked_up: Callable[[str], None]) -> None:
        self._apps = apps
        self._clock = clock
        self._looked_up = looked_up
        # The ids whose look-up is under way, with a timer once it has failed.
        self._asked: dict[str, Handle | None] = {}
        # Ids of absent apps, and until when they count as absent.
        self._absent: dict[str, float] = {}
        self._is_stopped = False

    def find(self, app_id: str) -> App | Asked | None:
        """Return an app, None if there is none, or `ASKED` while its look-up is under way."""
        # ASKED also if memory has it by now: the caller first gets `looked_up` for the events that it keeps.
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
        """Start no more look-ups."""
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
