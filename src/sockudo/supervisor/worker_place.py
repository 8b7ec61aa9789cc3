"""Keeps one worker running: starts it, restarts it after a crash, replaces it on request."""

from __future__ import annotations

import asyncio
import enum
from typing import Final

from sockudo.errors import SockudoError
from sockudo.log import get_logger
from sockudo.supervisor.crew import Crew
from sockudo.supervisor.listening.listeners import Sockets, set_aside
from sockudo.supervisor.orders import LINGER
from sockudo.supervisor.stopping import run_until
from sockudo.supervisor.worker_process import WorkerProcess

_log = get_logger("sockudo.workers")

FIRST_WAIT: Final = 0.1
LONGEST_WAIT: Final = 10.0
# A worker that has lived for so long has not died of how it started.
_GOOD_LIFE: Final = 30.0
# From this wait on, the connections that come meanwhile are better given to the other workers.
_LONG_WAIT: Final = 1.0
_MOST_FAILURES: Final = 3
# How long a new worker must have served before the old one may go: what ends it at once has ended it by then.
_PROOF: Final = 1.0


class WorkerError(SockudoError):
    """Workers cannot be started."""


class Replacement(enum.Enum):
    """How an attempt to replace a worker ended: FAILED may work later, REFUSED only once somebody changes something."""

    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"


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
        # Whether another worker is on its way to take over; set when it has.
        self._is_replacing = False
        self._taken_over = asyncio.Event()

    async def keep(self) -> None:
        """Start a worker whenever there is none, and watch the one in charge, also from the moment it takes over.

        Raises:
            WorkerError: none was ever ready here, and too many have tried.
        """
        while True:
            self._taken_over.clear()
            await run_until(self._taken_over.wait(), self._life())

    async def replace(self, grace: float) -> Replacement:
        """Start another worker, and let the old one go when the new one has served for a moment."""
        try:
            new = self._crew.start(self.index, self._sockets)
        except OSError as error:
            _log.error("worker not replaced: the system cannot start a process", worker=self.index, reason=str(error))
            return Replacement.FAILED
        self._is_replacing = True
        try:
            outcome = await self._proved(new)
        finally:
            self._is_replacing = False
        if outcome is not Replacement.DONE:
            return outcome
        old, self.worker = self.worker, new
        self._taken_over.set()
        _log.info("worker replaced", worker=self.index, pid=new.pid)
        if old is not None:
            if old.is_ready:
                old.retire()
            else:
                old.end_start()
            await self._crew.ended((old,), LINGER + grace)
        return Replacement.DONE

    async def _proved(self, new: WorkerProcess) -> Replacement:
        """Wait until a new worker may take over, or will not."""
        if not await self._crew.is_started(new):
            _log.error("worker not replaced: the new one cannot start", worker=self.index, reason=_reason(new))
            return Replacement.REFUSED if new.is_refused else Replacement.FAILED
        _log.info("worker ready", worker=self.index, pid=new.pid)
        old = self.worker
        if old is not None and old.is_ready:
            await _one_exited(new, old, _PROOF)
        if new.exited.is_set():
            _log.error("worker not replaced: the new one died", worker=self.index, pid=new.pid, reason=_reason(new))
            return Replacement.FAILED
        return Replacement.DONE

    async def _life(self) -> None:
        """Start a worker if none is in charge, and go with it to its end and through the wait for the next one."""
        worker = self.worker
        if worker is None:
            try:
                worker = self.worker = self._crew.start(self.index, self._sockets)
            except OSError as error:
                await self._retry(f"the system cannot start it: {error}")
                return
            if await self._crew.is_started(worker):
                _log.info("worker ready", worker=self.index, pid=worker.pid)
                self.proven.set()
        await worker.exited.wait()
        # Unless it was replaced: then its successor is watched.
        if self.worker is worker:
            self.worker = None
            await self._succeed(worker)

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
        # A worker that is about to take over may listen already, on these same sockets.
        if wait >= _LONG_WAIT and self._owns_sockets and self._crew.ready_count and not self._is_replacing:
            set_aside(self._sockets)
        await asyncio.sleep(wait)


async def _one_exited(new: WorkerProcess, old: WorkerProcess, seconds: float) -> None:
    """Wait until one of them is gone, but no longer than that."""
    exits = [asyncio.create_task(worker.exited.wait()) for worker in (new, old)]
    try:
        await asyncio.wait(exits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiting in exits:
            waiting.cancel()


def _reason(worker: WorkerProcess) -> str:
    if worker.failure:
        return worker.failure
    status = worker.status
    return f"killed by signal {-status}" if status is not None and status < 0 else f"ended with status {status}"
