"""Starts, watches and ends the worker processes of a supervisor."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from sockudo import log
from sockudo.bus.workers.socket_path import socket_path
from sockudo.supervisor.listening.listeners import Sockets
from sockudo.supervisor.stopping import Stopping
from sockudo.supervisor.worker_process import Shared, WorkerProcess

_log = log.get_logger("sockudo.workers")

_START_SECONDS: Final = 60.0
# What a worker may take beyond its time before it is told to hurry, and then before it is killed.
_SPARE_SECONDS: Final = 3.0
# How long a worker may take to give up its start.
_START_STOP_SECONDS: Final = 1.0


class Crew:
    """Every worker that lives, in whichever place, those on their way out included.

    Attributes:
        shared: what every worker is given.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], shared: Shared) -> None:
        self._command = command
        self._environment = environment
        self.shared = shared
        self._serial = 0
        self._alive: set[WorkerProcess] = set()
        # Whether workers show lines for debugging; None while nobody has switched.
        self._debug: bool | None = None

    @property
    def ready_count(self) -> int:
        """How many workers serve."""
        return sum(1 for worker in self._alive if worker.is_ready)

    def start(self, index: int, sockets: Sockets) -> WorkerProcess:
        """Start one more.

        Raises:
            OSError: the system has no room for it.
        """
        worker = WorkerProcess(index, self._serial)
        self._serial += 1
        worker.start(self._command, self._environment, sockets, self.shared)
        self._alive.add(worker)
        if self._debug is not None:
            worker.switch_debug(on=self._debug)
        return worker

    def switch_debug(self) -> None:
        """Switch lines for debugging on or off, here and in every worker, those to come included."""
        log.switch_debug()
        self._debug = log.shows_debug()
        for worker in self._alive:
            worker.switch_debug(on=self._debug)

    def diagnose(self) -> None:
        """Let every worker write a diagnosis to the log."""
        for worker in self._alive:
            worker.diagnose()

    def reap(self) -> None:
        """Note which processes have ended; to be called when one may have."""
        for worker in tuple(self._alive):
            worker.reap()
            if worker.exited.is_set():
                self._alive.discard(worker)
                # Nobody else would: a worker that was killed could not.
                socket_path(self.shared.directory, worker.serial).unlink(missing_ok=True)

    async def is_started(self, worker: WorkerProcess) -> bool:
        """Wait until a worker is ready, or will not be."""
        try:
            async with asyncio.timeout(_START_SECONDS):
                await worker.started.wait()
        except TimeoutError:
            worker.failure = f"it was not ready within {_START_SECONDS:.0f} s"
            worker.kill()
            await worker.exited.wait()
        return worker.is_ready

    async def ended(self, workers: Collection[WorkerProcess], seconds: float, stopping: Stopping | None = None) -> None:
        """Wait for workers that were told to leave; what stays longer, or too long for who hurries, is killed."""
        gone = asyncio.create_task(_all_exited(workers))
        hurried = asyncio.create_task(stopping.hurried() if stopping else _never())
        try:
            await asyncio.wait({gone, hurried}, timeout=seconds + _SPARE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                return
            for worker in workers:
                worker.hurry()
            await asyncio.wait({gone}, timeout=_SPARE_SECONDS)
            for worker in workers:
                if not worker.exited.is_set():
                    _log.error("worker killed: it did not end in time", worker=worker.index, pid=worker.pid)
                    worker.kill()
            await gone
        finally:
            hurried.cancel()
            gone.cancel()

    async def stop(self, grace: float, stopping: Stopping) -> None:
        """Let every worker leave in order, and wait for them."""
        serving = [worker for worker in self._alive if worker.is_ready]
        starting = [worker for worker in self._alive if not worker.is_ready]
        for worker in serving:
            worker.drain()
        for worker in starting:
            worker.end_start()
        await asyncio.gather(self.ended(serving, grace, stopping), self.ended(starting, _START_STOP_SECONDS, stopping))


async def _all_exited(workers: Collection[WorkerProcess]) -> None:
    for worker in workers:
        await worker.exited.wait()


async def _never() -> None:
    await asyncio.Event().wait()
