"""Two workers for scenarios: real processes on one port, forked from one that has imported the server already.

What a supervisor does for its workers is done here: listening sockets, a directory for their bus, a line to each.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from sockudo.ratelimit.area import new_area
from sockudo.ratelimit.memory import SIZE
from sockudo.supervisor.listening.listeners import Sockets, close_listeners, open_listeners
from sockudo.supervisor.orders import DRAIN, READY
from tests.servers.nodes import Nodes, Serve, with_barrier
from tests.servers.server import clean_environ, document
from tests.support.logged_secrets import LOGGED

COUNT: Final = 2
WAIT: Final = 60.0
_ROOT: Final = Path(__file__).parents[2]


class Forge:
    """Makes workers."""

    def __init__(self) -> None:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environ = clean_environ()
        environ["PYTHONPATH"] += os.pathsep + str(_ROOT)
        command = [sys.executable, "-m", "tests.servers.forge_process", str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(command, cwd=_ROOT, env=environ, pass_fds=(theirs.fileno(),))

    def fork(self, order: Mapping[str, Any], files: Sequence[int]) -> int:
        """Start a worker, which gets copies of these files; return the id of its process."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))]
        self._orders.sendmsg([json.dumps(order).encode()], rights)
        return self._answer()

    def end_of(self, pid: int) -> int:
        """Return the exit status of a worker that has closed its line, or the negative number of a signal."""
        self._orders.send(json.dumps({"ended": pid}).encode())
        return self._answer()

    def close(self) -> None:
        """End it."""
        self._orders.close()
        self._process.wait(WAIT)

    def _answer(self) -> int:
        data = self._orders.recv(1024)
        assert data, "what workers are forked from has ended"
        answer: int = json.loads(data)
        return answer


@pytest.fixture(scope="session")
def forge() -> Iterator[Forge]:
    """What makes workers, for a whole run."""
    made = Forge()
    yield made
    made.close()


class ForgedWorker:
    """One worker, as who supervises it sees it.

    Attributes:
        log: the lines that it has printed.
    """

    def __init__(self, forge: Forge, order: Mapping[str, Any], sockets: Sockets, counts: int) -> None:
        self._forge = forge
        self._line, theirs = socket.socketpair()
        read, write = os.pipe()
        numbers = [write, theirs.fileno(), counts, *(listening.fileno() for listening in sockets)]
        self.pid = forge.fork(order, numbers)
        theirs.close()
        os.close(write)
        self.log: list[dict[str, Any]] = []
        self._is_changed = asyncio.Event()
        self._said = b""
        self._tasks = [asyncio.create_task(self._read_line()), asyncio.create_task(self._read_log(read))]

    async def ready(self) -> None:
        """Wait until it serves and knows the others."""
        await self._until(lambda: READY in self._said and self.logged("node joined") == COUNT - 1)

    def logged(self, message: str) -> int:
        """How often it has logged something."""
        return sum(1 for line in self.log if line["message"] == message)

    def drain(self) -> None:
        """Let it leave in order."""
        # One that has died is found out by its exit status.
        with contextlib.suppress(OSError):
            self._line.send(DRAIN + b"\n")

    async def ended(self) -> int:
        """Wait for its end; return its exit status. One that does not end is killed."""
        _, running = await asyncio.wait(self._tasks, timeout=WAIT)
        if running:
            os.kill(self.pid, signal.SIGKILL)
            await asyncio.wait(running)
        return self._forge.end_of(self.pid)

    def problems(self) -> list[dict[str, Any]]:
        """What it has logged that a server should not have to log, and what was printed past the log."""
        return [line for line in self.log if line.get("level") in (None, "error", "critical")]

    async def _until(self, is_true: Any) -> None:
        async with asyncio.timeout(WAIT):
            while not is_true():
                assert not any(task.done() for task in self._tasks), f"a worker has ended: {self.log}"
                self._is_changed.clear()
                await self._is_changed.wait()

    async def _read_line(self) -> None:
        reader, writer = await asyncio.open_connection(sock=self._line)
        try:
            while data := await reader.read(1024):
                self._said += data
                self._is_changed.set()
        except ConnectionResetError:
            pass
        finally:
            self._is_changed.set()
            writer.close()

    async def _read_log(self, number: int) -> None:
        reader = asyncio.StreamReader(limit=1 << 20)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(number, "rb"))
        try:
            async for line in reader:
                LOGGED.wrote(line.decode("utf-8", "replace"))
                is_event = line.startswith(b"{")
                self.log.append(json.loads(line) if is_event else {"message": line.decode("utf-8", "replace")})
                self._is_changed.set()
        finally:
            self._is_changed.set()
            transport.close()


def workers_of(forge: Forge) -> Serve:
    """Return what serves with two workers."""

    @contextlib.asynccontextmanager
    async def serve(*apps: Mapping[str, Any], speed: float = 1, **changes: Any) -> AsyncIterator[Nodes]:
        async with running_workers(forge, *apps, speed=speed, **changes) as (nodes, _):
            yield nodes

    return serve


@contextlib.asynccontextmanager
async def running_workers(
    forge: Forge, *apps: Mapping[str, Any], speed: float = 1, **changes: Any
) -> AsyncIterator[tuple[Nodes, list[ForgedWorker]]]:
    """Run two workers on one port. Each has a port of its own too, so that who is sent there meets on purpose.

    Clients go to the first one, to the second, and to whichever the kernel picks, in turn.
    """
    shared = open_listeners("127.0.0.1", 0, COUNT, balanced=True)
    own = [open_listeners("127.0.0.1", 0, 1, balanced=True)[0] for _ in range(COUNT)]
    nodes = Nodes(*(_port(sockets) for sockets in own), shared=_port(shared[0]))
    directory = tempfile.mkdtemp(prefix="sockudo-")
    order = {"settings": document(*with_barrier(apps), **changes), "directory": directory, "speed": speed}
    workers: list[ForgedWorker] = []
    counts = new_area(SIZE)
    try:
        workers.extend(
            ForgedWorker(forge, {**order, "index": index}, (*own[index], *shared[index]), counts)
            for index in range(COUNT)
        )
        # From here on they are the workers' alone.
        close_listeners([*shared, *own])
        for worker in workers:
            await worker.ready()
        yield nodes, workers
    finally:
        close_listeners([*shared, *own])
        for worker in workers:
            worker.drain()
        statuses = [await worker.ended() for worker in workers]
        os.close(counts)
        shutil.rmtree(directory, ignore_errors=True)
        _show(workers)
    assert statuses == [0] * COUNT
    assert not [worker.problems() for worker in workers if worker.problems()]


def _port(sockets: Sockets) -> int:
    port: int = sockets[0].getsockname()[1]
    return port


def _show(workers: Sequence[ForgedWorker]) -> None:
    """Print the logs, which pytest shows if the test fails."""
    for worker in workers:
        for line in worker.log:
            print(line)
