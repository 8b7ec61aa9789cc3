"""Checks the parts of the server for `/up`, and logs when a part fails or works again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from sockudo.apps.app import App
from sockudo.apps.base import AppManager
from sockudo.errors import DriverError
from sockudo.eventual import Eventual, Future, caught, gathered, then
from sockudo.log import get_logger

_T = TypeVar("_T")

_log = get_logger("sockudo.health")

# How long a store may take to answer; probes of load balancers give up soon.
PATIENCE: Final = 0.4

OK: Final = "OK"
DEGRADED: Final = "DEGRADED"
ERROR: Final = "ERROR"
NOT_FOUND: Final = "NOT_FOUND"

Check = Callable[[], Eventual[None]]


class Health:
    """Asks every part that can fail; each may take `PATIENCE` seconds.

    Args:
        is_ready: whether the node is to be sent clients at all.
        critical: by name, parts without which nothing works.
        others: by name, parts without which clients are still served.
        overload: why new clients and events are refused for now, or nothing.
    """

    def __init__(
        self,
        apps: AppManager,
        is_ready: Callable[[], bool],
        critical: Mapping[str, Check] | None = None,
        others: Mapping[str, Check] | None = None,
        overload: Callable[[], str] = lambda: "",
    ) -> None:
        self._apps = apps
        self._is_ready = is_ready
        self._critical = {"app_manager": apps.check} | dict(critical or {})
        self._others = dict(others or {})
        self._problems: dict[str, str] = {}
        self.overload = overload

    def node(self) -> Eventual[str]:
        """Return OK, DEGRADED or ERROR."""
        if not self._is_ready() or self.overload():
            return ERROR
        critical = _all([self._ask(name, check) for name, check in self._critical.items()])
        others = _all([self._ask(name, check) for name, check in self._others.items()])
        return then(critical, lambda works: then(others, lambda rest: (OK if rest else DEGRADED) if works else ERROR))

    def app(self, app_id: str) -> Eventual[str]:
        """Return OK or ERROR for one app, or NOT_FOUND."""
        found = _bounded(self._apps.by_id(app_id))
        state = then(found, self._state_of)
        return caught(state, lambda _: ERROR) if isinstance(state, Future) else state

    def _state_of(self, app: App | None) -> str:
        if app is None:
            return NOT_FOUND
        return OK if app.enabled and self._is_ready() and not self.overload() else ERROR

    def _ask(self, name: str, check: Check) -> Eventual[bool]:
        try:
            answer = _bounded(check())
        except DriverError as error:
            return self._failed(name, error)
        answered = then(answer, lambda _: self._works(name))
        return caught(answered, lambda error: self._failed(name, error)) if isinstance(answered, Future) else answered

    def _works(self, name: str) -> bool:
        if self._problems.pop(name, None) is not None:
            _log.info(f"{_words(name)} usable again", part=name)
        return True

    def _failed(self, name: str, error: Exception) -> bool:
        reason = str(error) or f"no answer in {PATIENCE:g} s"
        if self._problems.get(name) != reason:
            self._problems[name] = reason
            _log.warning(f"{_words(name)} unusable", part=name, reason=reason)
        return False


def _words(name: str) -> str:
    return name.replace("_", " ")


def _bounded(answer: Eventual[_T]) -> Eventual[_T]:
    if not isinstance(answer, Future):
        return answer
    return asyncio.ensure_future(asyncio.wait_for(asyncio.shield(answer), PATIENCE))


def _all(answers: list[Eventual[bool]]) -> Eventual[bool]:
    return then(gathered(answers), all)
