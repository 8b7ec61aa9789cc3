"""Turns signals, and the words of a supervisor, into the request to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, Final

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Stopping:
    """Asked once, the process leaves in order; asked to hurry, it ends at once.

    A second signal means hurry. A signal together with the supervisor's word does not: systemd tells every process of
    a service, and so does a terminal.

    Attributes:
        reason: who asked first.
        linger: how long the process goes on serving who is connected before it sends them away (seconds).
    """

    def __init__(self) -> None:
        self.reason = ""
        self.linger = 0.0
        self._has_signal = False
        self._asked = asyncio.Event()
        self._hurried = asyncio.Event()

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take the signals of the process."""
        for number in _SIGNALS:
            loop.add_signal_handler(number, self.signalled, number)

    def signalled(self, number: signal.Signals) -> None:
        """Take a signal."""
        if self._has_signal:
            self.hurry(number.name)
        self._has_signal = True
        self.ask(number.name)

    def ask(self, reason: str, *, linger: float = 0.0) -> None:
        """Ask to leave in order."""
        if not self._asked.is_set():
            self.reason, self.linger = reason, linger
            self._asked.set()

    def hurry(self, reason: str) -> None:
        """Ask to end at once."""
        self.ask(reason)
        self._hurried.set()

    @property
    def is_asked(self) -> bool:
        """Whether the process is asked to stop."""
        return self._asked.is_set()

    @property
    def is_hurried(self) -> bool:
        """Whether it is asked to hurry."""
        return self._hurried.is_set()

    async def asked(self) -> None:
        """Wait until the process is asked to stop."""
        await self._asked.wait()

    async def hurried(self) -> None:
        """Wait until it is asked to hurry."""
        await self._hurried.wait()


async def run_until(ending: Coroutine[Any, Any, object], work: Coroutine[Any, Any, object]) -> None:
    """Do some work until it is done or `ending` is; the other one is cancelled. What the work raises is raised."""
    waiting, working = asyncio.ensure_future(ending), asyncio.ensure_future(work)
    try:
        await asyncio.wait({waiting, working}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        waiting.cancel()
        working.cancel()
        await asyncio.gather(waiting, working, return_exceptions=True)
