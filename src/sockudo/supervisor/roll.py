"""Replaces every worker, one after the other, when an operator asks for it (SIGHUP), as often as that takes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from sockudo.log import get_logger
from sockudo.supervisor import worker_place
from sockudo.supervisor.service_manager import ServiceManager
from sockudo.supervisor.worker_place import Replacement, WorkerPlace

_log = get_logger("sockudo.workers")


class Roll:
    """Rolls the workers of a supervisor.

    A new worker that dies, or that never serves, is tried again: what it misses (a broker, memory, the rest of an
    installation) may come back, and workers of two versions should not stay side by side. Only a configuration that
    cannot be used ends the roll: somebody must change it, and asks again then.

    Attributes:
        is_idle: whether nothing is being replaced, nor waits for that.
    """

    def __init__(self, places: Sequence[WorkerPlace], grace: float, manager: ServiceManager) -> None:
        self._places = places
        self._grace = grace
        self._manager = manager
        self._asked = asyncio.Event()
        self.is_idle = True

    def ask(self) -> None:
        """Replace every worker; one that was replaced before this call is replaced again."""
        self.is_idle = False
        self._asked.set()

    async def run(self) -> None:
        """Do what is asked, for as long as the supervisor runs."""
        while True:
            await self._asked.wait()
            await self._replace_all()
            self.is_idle = not self._asked.is_set()

    async def _replace_all(self) -> None:
        self._asked.clear()
        _log.info("workers: replacement begins")
        self._manager.reloading()
        for place in self._places:
            if not await self._replaced(place):
                return
        _log.info("workers: all replaced")
        self._manager.ready()

    async def _replaced(self, place: WorkerPlace) -> bool:
        """Replace one worker, however many attempts that takes; return False if this roll is to end before that."""
        wait = worker_place.FIRST_WAIT
        while (outcome := await place.replace(self._grace)) is not Replacement.DONE:
            # The service manager waits for no more attempts: the server serves.
            self._manager.ready()
            if outcome is Replacement.REFUSED:
                _log.error("workers: replacement stopped, the old workers go on")
                return False
            _log.error("workers: replacement interrupted, the old workers go on", retry_in=wait)
            if await self._asked_within(wait):
                # The next roll replaces this worker too.
                return False
            wait = min(2 * wait, worker_place.LONGEST_WAIT)
        return True

    async def _asked_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._asked.wait()
        return self._asked.is_set()
