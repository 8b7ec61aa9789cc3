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
from sockudo.supervisor.kept_signals import keep_signals, take_kept_signals
from sockudo.supervisor.listening.listeners import Sockets, close_listeners
from sockudo.supervisor.roll import Roll
from sockudo.supervisor.service_manager import ServiceManager
from sockudo.supervisor.stopping import Stopping, run_until
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
        manager = ServiceManager.from_environment(os.environ)
        supervisor = Supervisor(listeners, crew, manager, grace=task.grace, balanced=task.balanced)
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

    Args:
        manager: the service manager that is told what happens.

    Attributes:
        stopping: how it is told to stop.
    """

    def __init__(
        self, listeners: Sequence[Sockets], crew: Crew, manager: ServiceManager, *, grace: float, balanced: bool
    ) -> None:
        self._listeners = listeners
        self._crew = crew
        self._grace = grace
        self._places = [
            WorkerPlace(index, sockets, crew, owns_sockets=balanced) for index, sockets in enumerate(listeners)
        ]
        self.stopping = Stopping()
        self._manager = manager
        self._roll = Roll(self._places, grace, manager)

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
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
        # A worker that was told to stop, as every process of a service may be, has not failed.
        is_failed = failure is not None and not self.stopping.is_asked
        await self._stop()
        # The process ends now, and no further signal changes how.
        keep_signals()
        if failure is not None and is_failed:
            raise failure
        return 0

    def roll(self) -> None:
        """Replace every worker, one after the other; when told again meanwhile, do it once more."""
        if self.stopping.is_asked:
            _log.warning("reload ignored: the server is stopping")
        else:
            self._roll.ask()

    async def _serve(self, on_start: OnStart) -> None:
        """Keep the workers' work going until they are to stop."""
        await run_until(self.stopping.asked(), self._roll_when_proven(on_start))

    async def _roll_when_proven(self, on_start: OnStart) -> None:
        """Tell when every worker serves, and replace workers from then on, whenever that is asked for.

        Not earlier: a worker that starts may have read the configuration before somebody changed it and asked.
        """
        await self._all_proven()
        on_start([place.worker.pid for place in self._places if place.worker])
        self._manager.ready()
        await self._roll.run()

    async def _all_proven(self) -> None:
        for place in self._places:
            await place.proven.wait()

    async def _stop(self) -> None:
        _log.info("supervisor stopping", reason=self.stopping.reason or "failed", grace_period=self._grace)
        self._manager.stopping()
        # From here on it is the workers' sockets alone, so that the last one that leaves closes the port.
        close_listeners(self._listeners)
        self._crew.shared.side.close()
        await self._crew.stop(self._grace, self.stopping)
        self._manager.close()
        _log.info("supervisor stopped")
