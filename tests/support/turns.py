"""A server in a thread of its own, whose event loop is watched: how much CPU does one turn of it take?

CPU time of the thread is measured, not wall time, so that a busy machine fails no test. `LONGEST_TURN` is what the
server promises: no input of one peer holds the loop for longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import uvloop

from tests.servers.server import RunningServer, running_server

# Seconds of CPU. Tests allow what a slow processor and the measurement itself take on top of the promise of 20 ms.
LONGEST_TURN: Final = 0.020
TOLERATED_TURN: Final = 0.040

T = TypeVar("T")


class TurnMeter:
    """Runs once in every turn of a loop and keeps the longest CPU time between two of its runs."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._last = 0.0
        self._longest = 0.0
        self._handle: asyncio.Handle | None = None

    def start(self) -> None:
        """Begin; must be called in the loop's thread."""
        self._last = time.thread_time()
        self._handle = self._loop.call_soon(self._turn)

    def take(self) -> float:
        """Return the longest turn since the last call, in seconds of CPU; may be called from any thread."""
        longest, self._longest = self._longest, 0.0
        return longest

    def stop(self) -> None:
        """End; must be called in the loop's thread."""
        if self._handle is not None:
            self._handle.cancel()

    def _turn(self) -> None:
        now = time.thread_time()
        self._longest = max(self._longest, now - self._last)
        self._last = now
        self._handle = self._loop.call_soon(self._turn)


@dataclass(frozen=True)
class WatchedServer:
    """A server in another thread; clients run in the test's own loop."""

    running: RunningServer
    loop: asyncio.AbstractEventLoop
    meter: TurnMeter

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        return self.running.port

    async def do(self, step: Callable[[], Awaitable[T]]) -> T:
        """Run a step in the server's loop and return what it returns."""

        async def run() -> T:
            return await step()

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(run(), self.loop))


@contextlib.asynccontextmanager
async def watched_server(*apps: Mapping[str, Any], **changes: Any) -> AsyncIterator[WatchedServer]:
    """Run a server on uvloop in a thread, with a meter; arguments as for `running_server`."""
    loop = uvloop.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="watched server")
    thread.start()
    meter = TurnMeter(loop)
    stack = contextlib.AsyncExitStack()

    async def begin() -> RunningServer:
        running = await stack.enter_async_context(running_server(*apps, **changes))
        meter.start()
        return running

    async def end() -> None:
        meter.stop()
        await stack.aclose()

    try:
        running = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(begin(), loop))
        meter.take()
        try:
            yield WatchedServer(running, loop, meter)
        finally:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(end(), loop))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        await asyncio.to_thread(thread.join)
        loop.close()
