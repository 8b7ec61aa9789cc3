"""Futures of callers that wait until a topic is joined."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

Name = TypeVar("Name", bytes, str)


def done() -> asyncio.Future[None]:
    """Return a future that is done."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future


class Waiters(Generic[Name]):
    """Futures by name. Each caller has one of its own, so that one can cancel it without effect on the others."""

    def __init__(self) -> None:
        self._futures: dict[Name, list[asyncio.Future[None]]] = {}

    def __contains__(self, name: Name) -> bool:
        """Whether a caller waits for `name`."""
        return name in self._futures

    def add(self, name: Name) -> asyncio.Future[None]:
        """Return a future that is done once `name` is released."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._futures.setdefault(name, []).append(future)
        return future

    def another(self, name: Name) -> asyncio.Future[None] | None:
        """Return one more future for a name that callers wait for; None if none does."""
        return self.add(name) if name in self._futures else None

    def release_one(self, name: Name) -> None:
        """Finish the futures of `name`."""
        for future in self._futures.pop(name, ()):
            if not future.done():
                future.set_result(None)

    def release(self) -> None:
        """Finish all futures."""
        for name in list(self._futures):
            self.release_one(name)
