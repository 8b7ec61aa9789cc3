"""Checks deadlines once a second, and handles a few due items in each turn of the event loop.

Thousands of connections may come due in the same second, and to end one takes many times as long as to find it.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar

from sockudo.timing.clock import Clock, Handle
from sockudo.timing.deadlines import Deadlines, Scheduled
from sockudo.timing.ticker import Ticker

# Items of one turn: about 2 ms if each connection is ended.
_PART: Final = 64

T = TypeVar("T", bound=Scheduled)


class Expiry(Ticker, Generic[T]):
    """Base class of objects that watch many deadlines."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._deadlines: Deadlines[T] = Deadlines(self.now)
        self._rest: Handle | None = None

    def stop(self) -> None:
        """Stop ticking."""
        super().stop()
        self._forget_rest()

    def came_due(self, item: T) -> None:
        """Handle an item whose second has come."""
        raise NotImplementedError

    def due(self, limit: int) -> list[T]:
        """Return items that have come due, and forget them; if there are more than `limit`, others come later."""
        return self._deadlines.due(self.now, limit)

    def second_passed(self) -> None:
        """Handle the items that have come due."""
        # Items left over from the last second are due now, too.
        self._forget_rest()
        self._take()

    def _take(self) -> None:
        items = self.due(_PART)
        # An item that fails keeps the others from nothing.
        self._rest = self._clock.call_soon(self._take) if len(items) == _PART else None
        errors = []
        for item in items:
            try:
                self.came_due(item)
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0] if len(errors) == 1 else ExceptionGroup("deadlines", errors)

    def _forget_rest(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
