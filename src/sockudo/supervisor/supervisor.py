"""The supervisor: runs several server processes on one port, restarts them, and replaces them on SIGHUP.

Rules: the supervisor serves no clients, so that hardly anything can end it. It starts a worker by running its own
command line again, so a new worker loads the code and the configuration of that moment. The address and the number of
workers stay those of the supervisor's own start.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from sockudo.log import get_logger
from sockudo.supervisor.crew import Crew
from sockudo.supervisor.listeners import CAN_BALANCE, Sockets, close_listeners, open_listeners
from sockudo.supervisor.seats import Place
from sockudo.supervisor.socket_file import SocketFile, address_of
from sockudo.supervisor.stopping import Stopping

_log = get_logger("sockudo.workers")

OnStart: TypeAlias = Callable[[list[tuple[str, int]], list[int]], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to supervise.

    Attributes:
        count: how many workers.
        balanced: whether each has a listening socket of its own, where the system can balance them; else they share.
        grace: how long a worker may take to leave (seconds).
        command: what starts a worker, with `environment` and one more variable.
        socket_file: a unix socket in place of host and port, which all workers share.
    """

    host: str
    port: int
    count: int
    balanced: bool
    grace: float
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    socket_file: SocketFile | None = None

    @property
    def is_balanced(self) -> bool:
        """Whether each worker has a listening socket of its own."""
        return self.balanced and CAN_BALANCE and self.socket_file is None

    def listen(self) -> list[Sockets]:
        """Listen; return the sockets for each worker.

        Raises:
            ListenError: the address cannot be had.
            SocketFileError: the unix socket cannot be made.
        """
        if self.socket_file is not None:
            return [(self.socket_file.listen(),)] * self.count
        return open_listeners(self.host, self.port, self.count, balanced=self.is_balanced)


def supervise(plan: Plan, on_start: OnStart) -> int:
    """Run workers until SIGTERM or SIGINT; return the exit status.

    Args:
        on_start: called with the addresses and the processes once every worker serves.

    Raises:
        ListenError: the address cannot be had.
        SocketFileError: the unix socket cannot be made.
        WorkerError: a worker cannot start.
    """
    listeners = plan.listen()
    directory = Path(tempfile.mkdtemp(prefix="sockudo-"))
    crew = Crew(plan.command, plan.environment, directory)
    try:
        return asyncio.run(Supervisor(listeners, crew, grace=plan.grace, balanced=plan.is_balanced).run(on_start))
    finally:
        close_listeners(listeners)
        if plan.socket_file is not None:
            plan.socket_file.remove()
        shutil.rmtree(directory, ignore_errors=True)


class Supervisor:
    """Keeps a worker in each place.

    Attributes:
        stopping: how it is told to stop.
    """

    def __init__(self, listeners: Sequence[Sockets], crew: Crew, *, grace: float, balanced: bool) -> None:
        self._listeners = listeners
        self._crew = crew
        self._grace = grace
        self._places = [Place(index, sockets, crew, owns_sockets=balanced) for index, sockets in enumerate(listeners)]
        self.stopping = Stopping()
        self._roll: asyncio.Task[None] | None = None
        self._roll_again = False

    async def run(self, on_start: OnStart) -> int:
        """Supervise until told to stop; see `supervise`."""
        loop = asyncio.get_running_loop()
        self.stopping.listen(loop)
        loop.add_signal_handler(signal.SIGCHLD, self._crew.reap)
        loop.add_signal_handler(signal.SIGHUP, self.roll)
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
                addresses = [address_of(listening) for listening in self._listeners[0]]
                on_start(addresses, [place.worker.pid for place in self._places if place.worker])
            await asked
        finally:
            asked.cancel()
            proven.cancel()

    async def _all_proven(self) -> None:
        for place in self._places:
            await place.proven.wait()

    async def _replace_all(self) -> None:
        _log.info("workers: replacement begins")
        for place in self._places:
            if not await place.replace(self._grace):
                _log.error("workers: replacement stopped, the old workers go on")
                break
        else:
            _log.info("workers: all replaced")
        self._roll = None
        if self._roll_again:
            self._roll_again = False
            self.roll()

    async def _stop(self) -> None:
        _log.info("supervisor stopping", reason=self.stopping.reason or "failed", grace_period=self._grace)
        # From here on it is the workers' sockets alone, so that the last one that leaves closes the port.
        close_listeners(self._listeners)
        await self._crew.stop(self._grace, self.stopping)
        _log.info("supervisor stopped")
