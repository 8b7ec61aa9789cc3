"""The supervisor: runs several server processes on one port, restarts them, and replaces them on SIGHUP.

Rules: the supervisor serves no clients, so that hardly anything can end it. It starts a worker by running its own
command line again, so a new worker loads the code and the configuration of that moment. The address and the number of
workers stay those of the supervisor's own start.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from sockudo.log import get_logger
from sockudo.ratelimit.area import new_area
from sockudo.ratelimit.memory import SIZE
from sockudo.supervisor.crew import Crew
from sockudo.supervisor.kept_signals import take_kept_signals
from sockudo.supervisor.listening.listeners import Sockets, close_listeners
from sockudo.supervisor.service_manager import ServiceManager
from sockudo.supervisor.stopping import Stopping
from sockudo.supervisor.task import Task
from sockudo.supervisor.worker_place import WorkerPlace
from sockudo.supervisor.worker_process import Shared

_log = get_logger("sockudo.workers")

OnStart: TypeAlias = Callable[[list[int]], None]


def supervise(task: Task, on_start: OnStart) -> int:
    """Run workers until SIGTERM or SIGINT; return the exit status.

    Args:
        on_start: called with the processes once every worker serves.

    Raises:
        WorkerError: a worker cannot start.
    """
    listeners, side = task.listeners(), task.side_sockets()
    directory = Path(task.directory)
    try:
        # It outlives every worker, so that none begins to count afresh.
        counts = new_area(SIZE)
    except OSError:
        _tidy(task, [*listeners, side.all], directory)
        raise
    crew = Crew(task.command, os.environ, Shared(directory, counts, side))
    try:
        supervisor = Supervisor(listeners, crew, grace=task.grace, balanced=task.balanced)
        supervisor.manager = ServiceManager.from_environment(os.environ)
        return asyncio.run(supervisor.run(on_start))
    finally:
        os.close(counts)
        _tidy(task, [*listeners, side.all], directory)


def _tidy(task: Task, listeners: Sequence[Sockets], directory: Path) -> None:
    """Close the sockets, and remove what other processes could find."""
    close_listeners(listeners)
    task.remove_socket_file()
    with contextlib.suppress(OSError):
        for path in directory.iterdir():
            path.unlink(missing_ok=True)
        directory.rmdir()


class Supervisor:
    """Keeps a worker in each place.

    Attributes:
        stopping: how it is told to stop.
        manager: the service manager that is told what happens.
    """

    def __init__(self, listeners: Sequence[Sockets], crew: Crew, *, grace: float, balanced: bool) -> None:
        self._listeners = listeners
        self._crew = crew
        self._grace = grace
        self._places = [
            WorkerPlace(index, sockets, crew, owns_sockets=balanced) for index, sockets in enumerate(listeners)
        ]
        self.stopping = Stopping()
        self.manager = ServiceManager()
        self._roll: asyncio.Task[None] | None = None
        self._roll_again = False

    async def run(self, on_start: OnStart) -> int:
        """Supervise until told to stop; see `supervise`."""
        loop = asyncio.get_running_loop()
        self.stopping.listen(loop)
        loop.add_signal_handler(signal.SIGCHLD, self._crew.reap)
        loop.add_signal_handler(signal.SIGHUP, self.roll)
        loop.add_signal_handler(signal.SIGUSR1, self._crew.diagnose)
        loop.add_signal_handler(signal.SIGUSR2, self._crew.switch_debug)
        take_kept_signals()
        parts = [loop.create_task(place.keep()) for place in self._places]
        parts.append(loop.create_task(self._serve(on_start)))
        await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        failure = next((part.exception() for part in parts if part.done() and part.exception()), None)
        if self._roll is not None:
            parts.append(self._roll)
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
        await self._stop()
        if failure is not None:
            raise failure
        return 0

    def roll(self) -> None:
        """Replace every worker, one after the other; when told again meanwhile, do it once more."""
        if self._roll is None:
            self._roll = asyncio.get_running_loop().create_task(self._replace_all())
        else:
            self._roll_again = True

    async def _serve(self, on_start: OnStart) -> None:
        """Tell when every worker serves, and return when they are to stop."""
        asked = asyncio.ensure_future(self.stopping.asked())
        proven = asyncio.ensure_future(self._all_proven())
        try:
            await asyncio.wait({asked, proven}, return_when=asyncio.FIRST_COMPLETED)
            if proven.done():
                on_start([place.worker.pid for place in self._places if place.worker])
                self.manager.ready()
            await asked
        finally:
            asked.cancel()
            proven.cancel()

    async def _all_proven(self) -> None:
        for place in self._places:
            await place.proven.wait()

    async def _replace_all(self) -> None:
        _log.info("workers: replacement begins")
        self.manager.reloading()
        for place in self._places:
            if not await place.replace(self._grace):
                _log.error("workers: replacement stopped, the old workers go on")
                break
        else:
            _log.info("workers: all replaced")
        self.manager.ready()
        self._roll = None
        if self._roll_again:
            self._roll_again = False
            self.roll()

    async def _stop(self) -> None:
        _log.info("supervisor stopping", reason=self.stopping.reason or "failed", grace_period=self._grace)
        self.manager.stopping()
        # From here on it is the workers' sockets alone, so that the last one that leaves closes the port.
        close_listeners(self._listeners)
        self._crew.shared.side.close()
        await self._crew.stop(self._grace, self.stopping)
        self.manager.close()
        _log.info("supervisor stopped")
