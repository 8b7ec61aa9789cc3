"""Keeps one worker running: starts it, restarts it after a crash, replaces it on request."""

from __future__ import annotations

import asyncio
from typing import Final

from sockudo.errors import SockudoError
from sockudo.log import get_logger
from sockudo.supervisor.crew import Crew
from sockudo.supervisor.listening.listeners import Sockets, set_aside
from sockudo.supervisor.orders import LINGER
from sockudo.supervisor.worker_process import WorkerProcess

_log = get_logger("sockudo.workers")

FIRST_WAIT: Final = 0.1
LONGEST_WAIT: Final = 10.0
# A worker that has lived for so long has not died of how it started.
_GOOD_LIFE: Final = 30.0
# From this wait on, the connections that come meanwhile are better given to the other workers.
_LONG_WAIT: Final = 1.0
_MOST_FAILURES: Final = 3


class WorkerError(SockudoError):
    """Workers cannot be started."""


class WorkerPlace:
    """Keeps one worker alive.

    Attributes:
        worker: the process in charge; None while the next one is waited for.
        proven: set once a worker was ready here.
    """

    def __init__(self, index: int, sockets: Sockets, crew: Crew, *, owns_sockets: bool) -> None:
        self.index = index
        self.worker: WorkerProcess | None = None
        self.proven = asyncio.Event()
        self._sockets = sockets
        self._owns_sockets = owns_sockets
        self._crew = crew
        self._failures = 0
        self._wait = FIRST_WAIT

    async def keep(self) -> None:
        """Start a worker whenever there is none.

        Raises:
            WorkerError: none was ever ready here, and too many have tried.
        """
        while True:
            worker = self.worker
            if worker is None:
                try:
                    worker = self.worker = self._crew.start(self.index, self._sockets)
                except OSError as error:
                    await self._retry(f"the system cannot start it: {error}")
                    continue
            if await self._crew.is_started(worker):
                _log.info("worker ready", worker=self.index, pid=worker.pid)
                self.proven.set()
            await worker.exited.wait()
            # Unless it was replaced: then its successor is watched from here on.
            if self.worker is worker:
                self.worker = None
                await self._succeed(worker)

    async def replace(self, grace: float) -> bool:
        """Start another worker, and let the old one go when it is ready; return whether it ever was."""
        try:
            new = self._crew.start(self.index, self._sockets)
        except OSError as error:
            _log.error("worker not replaced: the system cannot start a process", worker=self.index, reason=str(error))
            return False
        if not await self._crew.is_started(new):
            _log.error("worker not replaced: the new one cannot start", worker=self.index, reason=_reason(new))
            return False
        old, self.worker = self.worker, new
        _log.info("worker replaced", worker=self.index, pid=new.pid)
        if old is not None:
            old.retire()
            await self._crew.ended((old,), LINGER + grace)
        return True

    async def _succeed(self, worker: WorkerProcess) -> None:
        """Wait as long as it takes before the next worker."""
        if not worker.is_ready:
            await self._retry(_reason(worker))
            return
        self._failures = 0
        if asyncio.get_running_loop().time() - worker.started_at >= _GOOD_LIFE:
            self._wait = FIRST_WAIT
        _log.error("worker died", worker=self.index, pid=worker.pid, reason=_reason(worker), restart_in=self._wait)
        await self._pause()

    async def _retry(self, reason: str) -> None:
        self._failures += 1
        if self._failures >= _MOST_FAILURES and not self.proven.is_set():
            raise WorkerError(reason)
        _log.error("worker cannot start", worker=self.index, reason=reason, restart_in=self._wait)
        await self._pause()

    async def _pause(self) -> None:
        wait, self._wait = self._wait, min(2 * self._wait, LONGEST_WAIT)
        if wait >= _LONG_WAIT and self._owns_sockets and self._crew.ready_count:
            set_aside(self._sockets)
        await asyncio.sleep(wait)


def _reason(worker: WorkerProcess) -> str:
    if worker.failure:
        return worker.failure
    status = worker.status
    return f"killed by signal {-status}" if status is not None and status < 0 else f"ended with status {status}"
