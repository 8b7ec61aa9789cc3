"""The workers of one `sockudo serve --workers N`: one door, and whichever process takes a connection."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from sockudo.bus.base import Adapter
from sockudo.bus.workers.adapter import IpcAdapter
from sockudo.supervisor.orders import WORKER_VARIABLE
from tests.clients.raw import HttpConnection
from tests.faults.doors import Process
from tests.faults.fleet import Fleet
from tests.faults.load import APP_ID
from tests.servers.server import app
from tests.servers.workers import WorkersProcess, workers_process

# As `sockudo.assembly.run` has it for workers.
NODE_TIMEOUT = 3.0
# Connections until every worker has had one; the system spreads them by chance.
_MOST_CONNECTIONS = 200
# No worker has this number.
_NOBODY = 1_000_000


class Workers:
    """The door of a supervisor's workers. Who takes a connection is read from /proc."""

    def __init__(self, server: WorkersProcess) -> None:
        self.server = server
        self.port = server.port
        self._processes: dict[int, Process] = {}

    def alive(self) -> list[Process]:
        """Return the workers that live, oldest first."""
        supervisor = self.server.process.pid
        children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
        return [self._process(int(pid)) for pid in children]

    def log(self) -> Sequence[str]:
        """Return the lines that the supervisor and the workers wrote."""
        return self.server.lines

    def process_of(self, client_port: int) -> Process:
        """Return the worker that serves a connection."""
        end = f"socket:[{self._inode(client_port)}]"
        for process in self.alive():
            # A worker may end meanwhile.
            with contextlib.suppress(OSError):
                folder = f"/proc/{process.pid}/fd"
                if any(os.readlink(f"{folder}/{name}") == end for name in os.listdir(folder)):
                    return process
        raise ConnectionResetError(f"no worker has the connection from port {client_port}")

    @contextlib.asynccontextmanager
    async def connections(self) -> AsyncIterator[Sequence[tuple[Process, HttpConnection]]]:
        """Connect to every worker."""
        found: dict[int, tuple[Process, HttpConnection]] = {}
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(_MOST_CONNECTIONS):
                connection = await stack.enter_async_context(HttpConnection(self.port))
                await connection.request("GET", "/up")
                process = self.process_of(connection.local_port)
                found.setdefault(process.pid, (process, connection))
                if found.keys() >= {process.pid for process in self.alive()}:
                    break
            else:
                raise TimeoutError(f"{_MOST_CONNECTIONS} connections, and none to some worker")
            yield list(found.values())

    @property
    def folder(self) -> Path:
        """Where the sockets of the bus between the workers are."""
        variables = Path(f"/proc/{self.alive()[0].pid}/environ").read_bytes().split(b"\0")
        given = next(text for text in variables if text.startswith(WORKER_VARIABLE.encode() + b"="))
        return Path(json.loads(given.partition(b"=")[2])["directory"])

    def adapter(self) -> Adapter:
        """Return one more place on that bus."""
        return IpcAdapter(self.folder, _NOBODY)

    def _process(self, pid: int) -> Process:
        return self._processes.setdefault(pid, Process(f"worker {pid}", pid))

    def _inode(self, client_port: int) -> str:
        """Return the number of the server's end of a connection."""
        ends = [f"0100007F:{self.port:04X}", f"0100007F:{client_port:04X}"]
        for line in Path("/proc/net/tcp").read_text().splitlines():
            fields = line.split()
            if fields[1:3] == ends:
                return fields[9]
        raise ConnectionResetError(f"there is no connection from port {client_port}")


class WorkersFleet(Fleet):
    """Workers under load."""

    def __init__(self, workers: Workers, publishers: int) -> None:
        # The same door for each publisher: each gets whichever worker takes its connection.
        super().__init__([workers], NODE_TIMEOUT, publishers)
        self.workers = workers


@contextlib.asynccontextmanager
async def running_workers(folder: Path, count: int) -> AsyncIterator[WorkersFleet]:
    """Run workers with a load on them."""
    apps = {"array": {"apps": [app(id=APP_ID)]}}
    async with (
        workers_process(folder, workers=count, app_manager=apps) as server,
        contextlib.AsyncExitStack() as stack,
    ):
        await server.greeted()
        fleet = WorkersFleet(Workers(server), 2 * count)
        stack.push_async_callback(fleet.aclose)
        await fleet.come()
        yield fleet
