"""Answers that must be there at once, and stores whose answers a test gives by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Generic, TypeVar

from sockudo.apps.app import App
from sockudo.apps.memory import MemoryAppManager
from sockudo.cache.base import Cached
from sockudo.errors import DriverError
from sockudo.eventual import Eventual, Future
from sockudo.ratelimit.base import Decision, Limit

T = TypeVar("T")


def now(answer: Eventual[T]) -> T:
    """Return an answer that nobody has to wait for."""
    assert not isinstance(answer, Future), "memory answers at once"
    return answer


async def answer(eventual: Eventual[T]) -> T:
    """Return an answer, at once or later."""
    return await eventual if isinstance(eventual, Future) else eventual


class Questions(Generic[T]):
    """What a store was asked, each with the future that its answer goes to."""

    def __init__(self) -> None:
        self._open: list[tuple[str, Future[T]]] = []

    @property
    def open(self) -> list[str]:
        """What waits for an answer."""
        return [what for what, _ in self._open]

    def put(self, what: str) -> Future[T]:
        """Ask for something."""
        future: Future[T] = asyncio.get_running_loop().create_future()
        self._open.append((what, future))
        return future

    async def answer(self, value: T) -> None:
        """Answer the oldest question, and let everybody who waits for it go on."""
        self._open.pop(0)[1].set_result(value)
        await _settled()

    async def fail(self) -> None:
        """Let the oldest question fail."""
        self._open.pop(0)[1].set_exception(DriverError("the store is gone (some.setting)"))
        await _settled()


async def _settled() -> None:
    # A chain of callbacks takes a tick for each of its links.
    for _ in range(10):
        await asyncio.sleep(0)


class AskedAppManager:
    """Apps behind a store that a test answers for: `known` is what memory has."""

    def __init__(self, apps: Iterable[App] = ()) -> None:
        self._known = MemoryAppManager(apps)
        self.questions: Questions[App | None] = Questions()

    def by_id(self, app_id: str) -> Eventual[App | None]:
        return self.questions.put(app_id)

    def by_key(self, key: str) -> Eventual[App | None]:
        return self.questions.put(key)

    def known(self, app_id: str) -> App | None:
        return self._known.known(app_id)

    def learn(self, *apps: App) -> None:
        """Have other apps in memory from now on."""
        self._known = MemoryAppManager(apps)

    def forget(self, app_id: str) -> None:
        pass

    async def start(self) -> tuple[()]:
        return ()

    def check(self) -> Eventual[None]:
        return None

    async def aclose(self) -> None:
        pass


class AskedCache:
    """A shared cache that a test answers for.

    Attributes:
        writes: what was set and is not there yet.
        log: keys and values that were set.
    """

    def __init__(self) -> None:
        self.is_shared = True
        self.writes: Questions[None] = Questions()
        self.questions: Questions[Cached | None] = Questions()
        self.log: list[tuple[str, bytes]] = []

    async def start(self) -> None:
        pass

    def get(self, key: str) -> Eventual[Cached | None]:
        return self.questions.put(key)

    def set(self, key: str, value: bytes, ttl: float) -> Eventual[None]:
        self.log.append((key, value))
        return self.writes.put(key)

    def delete(self, key: str) -> None:
        pass

    def check(self) -> Eventual[None]:
        return None

    async def aclose(self) -> None:
        pass


class AskedLimiter:
    """A limiter behind a store that a test answers for."""

    def __init__(self) -> None:
        self.questions: Questions[Decision] = Questions()

    async def start(self) -> None:
        pass

    def consume(self, key: str, limit: Limit, cost: int = 1) -> Eventual[Decision]:
        return self.questions.put(key)

    def check(self) -> Eventual[None]:
        return None

    async def aclose(self) -> None:
        pass
