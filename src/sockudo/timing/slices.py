"""Runs long work in slices, so that no request blocks the event loop.

Work is a generator that yields after each short step. All work together has one budget for each turn of the loop, and
takes turns within it. Work that has to wait for a store yields the future that it waits for.
"""

from __future__ import annotations

import asyncio
import time
from asyncio import Future
from collections import deque
from collections.abc import Callable, Generator
from typing import Any, Final, Generic, TypeAlias, TypeVar

T = TypeVar("T")

Steps: TypeAlias = Generator[Future[Any] | None, None, T]

# Seconds of one turn that all work together may take, and what one work may take before another has its turn.
BUDGET: Final = 0.005
SHARE: Final = 0.002


class _Work(Generic[T]):
    """Steps that are under way, and the future of their result."""

    __slots__ = ("_result", "_steps")

    def __init__(self, steps: Steps[T]) -> None:
        self._steps = steps
        self._result: Future[T] = asyncio.get_running_loop().create_future()

    @property
    def result(self) -> Future[T]:
        return self._result

    def go_on(self, until: float, now: Callable[[], float]) -> Future[Any] | bool:
        """Take steps until a moment; return whether more are left, or the future that they wait for."""
        try:
            while True:
                awaited = next(self._steps)
                if awaited is not None and not awaited.done():
                    return awaited
                if now() >= until:
                    return True
        except StopIteration as stopped:
            if not self._result.done():
                self._result.set_result(stopped.value)
        except Exception as error:
            if not self._result.done():
                self._result.set_exception(error)
        return False


class Slices:
    """Carries out work in slices.

    Args:
        call_soon: runs a callback in the next turn of the loop.
        now: seconds by which slices are measured.
    """

    def __init__(
        self, call_soon: Callable[[Callable[[], None]], object], now: Callable[[], float] = time.perf_counter
    ) -> None:
        self._call_soon = call_soon
        self._now = now
        self._ready: deque[_Work[Any]] = deque()
        self._is_scheduled = False

    def run(self, steps: Steps[T]) -> Future[T]:
        """Carry out steps from the next turn on; the future has what they return or raise."""
        work = _Work(steps)
        self._add(work)
        return work.result

    def at_once(self, steps: Steps[T]) -> T | Future[T]:
        """Carry out steps now, which are few; a future only where they have to wait for a store."""
        try:
            while True:
                awaited = next(steps)
                if awaited is not None and not awaited.done():
                    work = _Work(steps)
                    self._wait(work, awaited)
                    return work.result
        except StopIteration as stopped:
            result: T = stopped.value
            return result

    def _add(self, work: _Work[Any]) -> None:
        self._ready.append(work)
        if not self._is_scheduled:
            self._is_scheduled = True
            self._call_soon(self._turn)

    def _wait(self, work: _Work[Any], awaited: Future[Any]) -> None:
        awaited.add_done_callback(lambda _: self._add(work))

    def _turn(self) -> None:
        now, ready = self._now, self._ready
        moment = now()
        end = moment + BUDGET
        while ready and moment < end:
            work = ready.popleft()
            left = work.go_on(min(end, moment + SHARE), now)
            if isinstance(left, Future):
                self._wait(work, left)
            elif left:
                ready.append(work)
            moment = now()
        self._is_scheduled = bool(ready)
        if ready:
            self._call_soon(self._turn)
