"""Runs long work in slices, so that no client or node can stall the event loop.

Work is a generator that yields after each short step. It takes turns with all other work within the time that a turn
of the loop has for it (`slice_time.py`). There are two forms:

* `run` is for work with a result. It may wait for a store: it yields the future that it waits for.
* `in_order` is for work whose order matters. It begins at once if this turn has time left, and each piece begins
  when the one before it has ended.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

from sockudo.timing.clock import Clock

T = TypeVar("T")

Steps: TypeAlias = Generator[Future[Any] | None, None, T]

# Seconds for one work before another has its turn.
SHARE: Final = 0.002


class _Work(Protocol):
    """Work of either form."""

    def go_on(self, until: float, now: Callable[[], float]) -> bool:
        """Take steps until a moment; return whether the next turn can take more."""
        ...


class _WithResult(Generic[T]):
    """Steps, and the future of their result.

    Args:
        resume: takes the work back when the future that it waits for is done.
    """

    __slots__ = ("_resume", "_steps", "result")

    def __init__(self, steps: Steps[T], resume: Callable[[_Work], None]) -> None:
        self._steps = steps
        self._resume = resume
        self.result: Future[T] = asyncio.get_running_loop().create_future()

    def wait_for(self, awaited: Future[Any]) -> None:
        awaited.add_done_callback(lambda _: self._resume(self))

    def go_on(self, until: float, now: Callable[[], float]) -> bool:
        try:
            while True:
                awaited = next(self._steps)
                if awaited is not None and not awaited.done():
                    self.wait_for(awaited)
                    return False
                if now() >= until:
                    return True
        except StopIteration as stopped:
            if not self.result.done():
                self.result.set_result(stopped.value)
        except Exception as error:
            if not self.result.done():
                self.result.set_exception(error)
        return False


class _InOrder:
    """Pieces of work, each of which begins when the one before it has ended.

    Attributes:
        is_under_way: whether it runs now, or goes on in the next turn.
    """

    __slots__ = ("_pieces", "is_under_way")

    def __init__(self) -> None:
        self._pieces: deque[Iterator[None]] = deque()
        self.is_under_way = False

    def add(self, steps: Iterator[None]) -> None:
        self._pieces.append(steps)

    def go_on(self, until: float, now: Callable[[], float]) -> bool:
        pieces = self._pieces
        try:
            while pieces:
                for _ in pieces[0]:
                    if now() >= until:
                        return True
                pieces.popleft()
        except BaseException:
            # Only a piece that fails ends; all others go on.
            pieces.popleft()
            raise
        self.is_under_way = False
        return False


class Slices:
    """Runs work in slices, within the time of a turn that all slices of the clock share."""

    def __init__(self, clock: Clock) -> None:
        self._now = clock.monotonic
        self._time = clock.slice_time
        self._ready: deque[_Work] = deque()
        self._in_order = _InOrder()
        self._is_busy = False
        # Whether another turn has been asked for.
        self._is_awaited = False

    @property
    def is_idle(self) -> bool:
        """Whether all work is done, except work that waits for a store."""
        return not self._ready

    def run(self, steps: Steps[T]) -> Future[T]:
        """Run steps from the next turn on; the future has their result or exception."""
        work = _WithResult(steps, self._add)
        self._add(work)
        return work.result

    def at_once(self, steps: Steps[T]) -> T | Future[T]:
        """Run a few steps now; return a future only if they have to wait for a store."""
        try:
            while True:
                awaited = next(steps)
                if awaited is not None and not awaited.done():
                    work = _WithResult(steps, self._add)
                    work.wait_for(awaited)
                    return work.result
        except StopIteration as stopped:
            result: T = stopped.value
            return result

    def in_order(self, steps: Iterator[None]) -> None:
        """Run steps after all earlier ones, now or in the next turns; no step may wait."""
        # hot path
        work = self._in_order
        work.add(steps)
        if work.is_under_way:
            return
        work.is_under_way = True
        if self._is_busy:
            self._ready.append(work)
            return
        self._is_busy = True
        end = self._time.begin()
        try:
            self._take_share(work, end)
        finally:
            self._end()

    def may_skip_order(self, seconds: float) -> bool:
        """Tell whether short work may be done at once, in place of `in_order`: nothing is there that it would overtake.

        Args:
            seconds: how long it takes at most; they are taken of the time of the turn.
        """
        # hot path
        return not self._in_order.is_under_way and self._time.take(seconds)

    def next_turn(self) -> None:
        """Run the next slice, which otherwise comes with the next turn of the loop."""
        self._time.renew()
        self._go_on()

    def _woken(self) -> None:
        self._is_awaited = False
        self._go_on()

    def _go_on(self) -> None:
        now, ready = self._now, self._ready
        self._is_busy = True
        end = self._time.begin()
        try:
            while ready and (moment := now()) < end:
                self._take_share(ready.popleft(), min(end, moment + SHARE))
        finally:
            self._end()

    def _add(self, work: _Work) -> None:
        self._ready.append(work)
        self._see_to_rest()

    def _see_to_rest(self) -> None:
        """Ask for the next turn, if any work is left."""
        if self._ready and not self._is_awaited and not self._is_busy:
            self._is_awaited = True
            self._time.wake(self._woken)

    def _end(self) -> None:
        self._is_busy = False
        self._time.end()
        if self._ready:
            self._see_to_rest()

    def _take_share(self, work: _Work, until: float) -> None:
        # Work in order goes on after an exception, with the pieces after the one that failed.
        has_more = True
        try:
            has_more = work.go_on(until, self._now)
        finally:
            if has_more:
                self._ready.append(work)
