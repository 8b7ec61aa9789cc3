"""The app manager of every database: it keeps the apps that it has looked up for a while.

* One look-up serves all callers that wait for an app. An app that is used near the end of its time to live is looked up
  again in the background, so that requests for a busy app never wait.
* The absence of an app is kept for a moment, and the number of waiting look-ups of unknown names is bounded, so that
  guessing keys costs the database little. Keys and ids have separate bounds. Look-ups of remembered apps do not wait
  behind them, so guesses do not delay apps in use.
* When the database goes away, apps that are in use stay usable for their time to live from that moment.
* `forget` also discards answers that are under way: an answer from before a change is never kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Final, TypeAlias, TypeVar

from sockudo.apps.app import App
from sockudo.apps.database.preparation import prepare
from sockudo.apps.database.record import Record, is_possible_name
from sockudo.apps.database.store import AppStore
from sockudo.apps.shelf import PACE, Entry, Name, Shelf
from sockudo.errors import ConfigError, DriverError
from sockudo.eventual import Eventual, Future, then
from sockudo.log import get_logger
from sockudo.timing.clock import Clock

_log = get_logger("sockudo.apps")
_T = TypeVar("_T")

MakeApp: TypeAlias = Callable[[Record], App]

# The most look-ups of unknown keys that wait, and that ask the database at once; the same for ids. This leaves some
# connections to the database for apps in use.
MAX_WAITING: Final = 1_000
AT_ONCE: Final = 4
# The most look-ups of remembered apps that ask the database at once.
KNOWN_AT_ONCE: Final = 16


class _Queue:
    """Look-ups that share a limit, and how many there are."""

    def __init__(self, at_once: int) -> None:
        self.gate = asyncio.Semaphore(at_once)
        self.size = 0


class CachedAppManager:
    """The `AppManager` of every database.

    Args:
        make_app: makes an app of a record, or raises `ConfigError`.
        ttl: seconds for which an app is kept; with 0 every look-up asks the database.
        configured: apps of the settings, which the manager writes into the database at the start.
    """

    def __init__(
        self, store: AppStore, make_app: MakeApp, clock: Clock, ttl: float, configured: Sequence[Record] = ()
    ) -> None:
        self._store = store
        self._make_app = make_app
        self._clock = clock
        self._configured = configured
        self._shelf = Shelf(ttl)
        self._flights: dict[Name, asyncio.Task[App | None]] = {}
        # The event loop holds its tasks only weakly.
        self._tasks: set[asyncio.Task[object]] = set()
        self._checking: asyncio.Task[None] | None = None
        self._unknown = {"id": _Queue(AT_ONCE), "key": _Queue(AT_ONCE)}
        self._remembered = _Queue(KNOWN_AT_ONCE)
        # Apps that are looked up because they have changed -> whether they have changed again since.
        self._changing: dict[str, bool] = {}
        # Grows with every change, so that answers from before one can be recognised.
        self._epoch = 0
        self._lost_since: float | None = None
        self._has_told = False

    async def start(self) -> Sequence[str]:
        return await prepare(self._store, self._configured)

    async def aclose(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._store.aclose()

    # Finding

    def by_id(self, app_id: str) -> Eventual[App | None]:
        # hot path
        entry = self._shelf.find(app_id)
        if entry is not None:
            now = self._clock.monotonic()
            if now < entry.expires_at:
                if now >= entry.refresh_at:
                    self._refresh(entry, now)
                return entry.app
            return self._ask(("id", app_id), self._remembered)
        return self._ask(("id", app_id), self._unknown["id"])

    def by_key(self, key: str) -> Eventual[App | None]:
        app_id = self._shelf.id_of(key)
        if app_id is None:
            return self._ask(("key", key), self._unknown["key"])

        def if_it_is_its_key(app: App | None) -> Eventual[App | None]:
            return app if app is not None and app.key == key else self._ask(("key", key), self._unknown["key"])

        return then(self.by_id(app_id), if_it_is_its_key)

    def known(self, app_id: str) -> App | None:
        # hot path
        entry = self._shelf.find(app_id)
        if entry is None:
            return None
        now = self._clock.monotonic()
        if now >= entry.refresh_at:
            self._refresh(entry, now)
        return entry.app

    def forget(self, app_id: str) -> None:
        self._epoch += 1
        # Callers that wait get the old answer; later callers cause a new look-up.
        self._flights.clear()
        self._shelf.expire(app_id)
        entry = self._shelf.find(app_id)
        if entry is not None:
            # Look it up at once, because callers that must not wait use the remembered app.
            if app_id in self._changing:
                self._changing[app_id] = True
            else:
                self._changing[app_id] = False
                flight = self._refresh(entry, self._clock.monotonic())
                flight.add_done_callback(lambda _: self._changed(app_id))

    def check(self) -> Future[None]:
        """As in `AppManager`. Cancelling the future does not stop the check."""
        if self._checking is None or self._checking.done():
            self._checking = self._run(self._check())
        return asyncio.shield(self._checking)

    # Asking

    def _ask(self, name: Name, queue: _Queue) -> Eventual[App | None]:
        """Ask the database, once for all callers that look up the same name."""
        if not is_possible_name(name[1]) or self._shelf.is_absent(name, self._clock.monotonic()):
            return None
        flight = self._flights.get(name)
        if flight is None:
            if queue is not self._remembered and queue.size >= MAX_WAITING:
                return _failed(DriverError(f"more than {MAX_WAITING} look-ups of unknown apps wait for the database"))
            flight = self._depart(name, queue)
        # Each caller has a future of its own, so that one can cancel it without effect on the others.
        return asyncio.shield(flight)

    def _refresh(self, entry: Entry, now: float) -> asyncio.Task[App | None]:
        """Look up a remembered app again, in the background."""
        entry.refresh_at = now + PACE
        name: Name = ("id", entry.app.id)
        flight = self._flights.get(name)
        if flight is None:
            flight = self._depart(name, self._remembered)
            flight.add_done_callback(partial(self._refreshed, entry))
        return flight

    def _changed(self, app_id: str) -> None:
        """Look up an app again that has changed during its look-up: once, however often it changed."""
        if self._changing.pop(app_id):
            self.forget(app_id)

    def _refreshed(self, entry: Entry, flight: asyncio.Task[App | None]) -> None:
        if flight.cancelled() or flight.exception() is None or self._lost_since is None:
            return
        if self._clock.monotonic() < entry.expires_at:
            entry.expires_at = max(entry.expires_at, self._lost_since + self._shelf.ttl)

    def _depart(self, name: Name, queue: _Queue) -> asyncio.Task[App | None]:
        def landed(flight: asyncio.Task[App | None]) -> None:
            queue.size -= 1
            if self._flights.get(name) is flight:
                del self._flights[name]

        # Counted until it ends: `forget` takes look-ups off the list, and lets them run.
        queue.size += 1
        flight = self._flights[name] = self._run(self._admitted(name, queue, self._epoch))
        flight.add_done_callback(landed)
        return flight

    async def _admitted(self, name: Name, queue: _Queue, epoch: int) -> App | None:
        async with queue.gate:
            return await self._look_up(name, epoch)

    async def _look_up(self, name: Name, epoch: int) -> App | None:
        find = self._store.find_by_id if name[0] == "id" else self._store.find_by_key
        record = await self._answered(find(name[1]))
        app = None if record is None else self._app_of(record)
        now = self._clock.monotonic()
        if epoch != self._epoch:
            # It is from before a change: useful for callers that must not wait, but not an answer.
            if app is not None and self._shelf.find(app.id) is None:
                self._shelf.put(app, now - self._shelf.ttl)
        elif app is None:
            self._shelf.put_absent(name, now)
        else:
            self._shelf.put(app, now)
        return app

    def _app_of(self, record: Record) -> App | None:
        try:
            return self._make_app(record)
        except ConfigError as error:
            _log.error(
                "app not served: its record in the database is invalid", app=record["id"], problems=error.problems
            )
            return None

    async def _check(self) -> None:
        # The health check of the server logs the outcome.
        if not await self._answered(self._store.has_any(), tell=False):
            raise DriverError(
                "there is no app in the database (app_manager.driver): add one with `sockudo apps create`"
            )

    async def _answered(self, question: Coroutine[None, None, _T], *, tell: bool = True) -> _T:
        """Wait for the database; log once when it goes away, and once when it is back."""
        try:
            answer = await question
        except DriverError as error:
            if self._lost_since is None:
                self._lost_since = self._clock.monotonic()
            if tell and not self._has_told:
                self._has_told = True
                _log.error("database of apps unusable", error=str(error))
            raise
        self._lost_since = None
        if self._has_told:
            self._has_told = False
            _log.info("database of apps usable again")
        return answer

    def _run(self, work: Coroutine[None, None, _T]) -> asyncio.Task[_T]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _failed(error: Exception) -> Future[App | None]:
    future: Future[App | None] = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    return future
