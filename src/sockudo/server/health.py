"""Checks the parts of the server for its probes, and logs when a part fails or works again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, Protocol, TypeVar

from sockudo.api.health import DEGRADED, DRAINING, ERROR, NOT_FOUND, OK, Verdict
from sockudo.apps.app import App
from sockudo.apps.base import AppManager
from sockudo.errors import DriverError
from sockudo.eventual import Eventual, Future, caught, gathered, then
from sockudo.log import get_logger

_T = TypeVar("_T")

_log = get_logger("sockudo.health")

PATIENCE: Final = 2.0
"""How long a store may take to answer unless the settings say otherwise (seconds)."""

Check = Callable[[], Eventual[None]]


class Gates(Protocol):
    """Tells why the node should be sent no clients although its stores work."""

    @property
    def is_draining(self) -> bool:
        """Whether the node leaves, or is about to."""
        ...

    def full(self) -> str:
        """Return why there is no room for another connection, or nothing."""
        ...

    def overload(self) -> str:
        """Return why clients and events are refused for want of memory, or nothing."""
        ...

    def isolation(self) -> str:
        """Return why the other nodes cannot be reached, or nothing."""
        ...


class HealthChecks:
    """Asks every part that can fail; each may take `patience` seconds.

    Args:
        gates: what the node says of itself.
        critical: by name, parts without which nothing works.
        others: by name, parts without which clients are still served.
    """

    def __init__(
        self,
        apps: AppManager,
        gates: Gates,
        critical: Mapping[str, Check] | None = None,
        others: Mapping[str, Check] | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._apps = apps
        self._gates = gates
        self._critical = {"app_manager": apps.check} | dict(critical or {})
        self._others = dict(others or {})
        self._patience = patience
        self._problems: dict[str, str] = {}

    def node(self) -> Eventual[Verdict]:
        """Tell whether the server serves those it has."""
        closed = self._closed()
        if closed is not None:
            return closed
        critical = gathered([self._ask(name, check) for name, check in self._critical.items()])
        others = gathered([self._ask(name, check) for name, check in self._others.items()])
        return then(critical, lambda works: then(others, lambda rest: self._judge(works, rest)))

    def ready(self) -> Eventual[Verdict]:
        """Tell whether new clients are welcome."""
        full = "" if self._gates.is_draining else self._gates.full()
        return Verdict(ERROR, full) if full else self.node()

    def app(self, app_id: str) -> Eventual[Verdict]:
        """Tell whether one app is served."""
        found = self._bounded(self._apps.by_id(app_id))
        state = then(found, self._state_of)
        return caught(state, lambda _: Verdict(ERROR)) if isinstance(state, Future) else state

    def _state_of(self, app: App | None) -> Verdict:
        if app is None:
            return Verdict(NOT_FOUND)
        return self._closed() or Verdict(OK if app.enabled else ERROR)

    def _closed(self) -> Verdict | None:
        """Return why the node should be sent nobody, whatever its stores do."""
        gates = self._gates
        if gates.is_draining:
            return Verdict(DRAINING, "the server shuts down")
        overload = gates.overload()
        if overload:
            return Verdict(ERROR, overload, is_overload=True)
        isolation = gates.isolation()
        return Verdict(ERROR, isolation) if isolation else None

    def _judge(self, critical: list[bool], others: list[bool]) -> Verdict:
        failed = [_words(name) for name, works in zip(self._critical, critical, strict=True) if not works]
        if failed:
            return Verdict(ERROR, f"{', '.join(failed)} unusable; the log says why")
        return Verdict(OK if all(others) else DEGRADED)

    def _ask(self, name: str, check: Check) -> Eventual[bool]:
        try:
            answer = self._bounded(check())
        except DriverError as error:
            return self._failed(name, error)
        answered = then(answer, lambda _: self._works(name))
        return caught(answered, lambda error: self._failed(name, error)) if isinstance(answered, Future) else answered

    def _works(self, name: str) -> bool:
        if self._problems.pop(name, None) is not None:
            _log.info(f"{_words(name)} usable again", part=name)
        return True

    def _failed(self, name: str, error: Exception) -> bool:
        reason = str(error) or f"no answer in {self._patience:g} s (health_check_timeout_ms)"
        if self._problems.get(name) != reason:
            self._problems[name] = reason
            _log.warning(f"{_words(name)} unusable", part=name, reason=reason)
        return False

    def _bounded(self, answer: Eventual[_T]) -> Eventual[_T]:
        if not isinstance(answer, Future):
            return answer
        return asyncio.ensure_future(asyncio.wait_for(asyncio.shield(answer), self._patience))


def _words(name: str) -> str:
    return name.replace("_", " ")
