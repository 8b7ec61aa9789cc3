"""A timeout that cancels again until its block ends.

`asyncio.timeout` cancels once, and that can be lost: `asyncio.wait_for`, which the libraries use while they connect and
wait for the pool, forgets a cancellation that comes in the moment of its success (until Python 3.12). The cancellation
can also end in the close of a connection to a server that does not answer, for which TLS waits half a minute.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final, Self

# Seconds between two cancellations.
_AGAIN: Final = 1.0


class InsistingTimeout:
    """Cancels its block after some seconds, and again until the block ends.

    Raises:
        TimeoutError: the timeout has cancelled the block, and no other code has.
    """

    __slots__ = ("_before", "_cancels", "_seconds", "_task", "_timer")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._cancels = 0

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None, "a coroutine runs in a task"
        self._task = task
        self._before = task.cancelling()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._cancel)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        left = self._before
        for _ in range(self._cancels):
            left = self._task.uncancel()
        if self._cancels and left <= self._before and isinstance(error, asyncio.CancelledError):
            raise TimeoutError from error

    def _cancel(self) -> None:
        self._cancels += 1
        self._task.cancel()
        self._timer = asyncio.get_running_loop().call_later(_AGAIN, self._cancel)
