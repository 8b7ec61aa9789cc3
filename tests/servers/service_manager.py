"""Plays systemd for a server: opens its sockets before it runs, gives them to it, and hears what it tells."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.servers.server import clean_environ, document

WAIT: Final = 30.0
# What a manager does between fork and exec: descriptors from 3 on, and the process that they are for.
_GIVE: Final = """
import fcntl, os, sys
numbers = [int(text) for text in sys.argv[1].split(",") if text]
kept = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 100) for number in numbers]
for place, number in enumerate(kept, 3):
    os.dup2(number, place)
os.environ.setdefault("LISTEN_PID", str(os.getpid()))
os.environ.setdefault("LISTEN_FDS", str(len(numbers)))
os.execv(sys.argv[2], sys.argv[2:])
"""


class Service:
    """A server that a service manager has started.

    Attributes:
        told: what it has said to the manager.
    """

    def __init__(self, process: asyncio.subprocess.Process, line: socket.socket, log: Path) -> None:
        self.process = process
        self.told: list[str] = []
        self._line = line
        self._log = log

    async def says(self, text: str) -> None:
        """Wait until the server tells something that begins so, whatever it says before."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(WAIT):
            while not any(said.startswith(text) for said in self.told):
                receiving = asyncio.ensure_future(loop.sock_recv(self._line, 4096))
                ending = asyncio.ensure_future(self.process.wait())
                await asyncio.wait({receiving, ending}, return_when=asyncio.FIRST_COMPLETED)
                ending.cancel()
                assert receiving.done(), f"the server ended:\n{self.log}"
                self.told.append(receiving.result().decode())

    def heard(self) -> list[str]:
        """Return what was said so far and, of a server that has ended, all of it."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self.told.append(self._line.recv(4096).decode())
        return self.told

    def forget(self) -> None:
        """Forget what was said so far."""
        self.told.clear()

    @property
    def log(self) -> str:
        """What the server has printed."""
        return self._log.read_text()

    async def ended(self) -> int:
        """Wait for the end and return the exit status."""
        return await asyncio.wait_for(self.process.wait(), WAIT)

    async def ended_orderly(self) -> int:
        """Let it leave, after which its log is complete, and return the exit status."""
        self.send(signal.SIGTERM)
        return await self.ended()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the main process."""
        self.process.send_signal(number)


@contextlib.asynccontextmanager
async def service(
    folder: Path,
    sockets: Sequence[socket.socket] = (),
    *,
    environ: Mapping[str, str] | None = None,
    **changes: Any,
) -> AsyncIterator[Service]:
    """Start a server in `folder` with these sockets; ends it whatever the test has done."""
    config, log = folder / "config.json", folder / "service.log"
    config.write_text(json.dumps(document(**changes)))
    (folder / "notify").unlink(missing_ok=True)
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as line, log.open("wb") as output:
        line.setblocking(False)
        line.bind(os.fspath(folder / "notify"))
        numbers = [one.fileno() for one in sockets]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _GIVE, ",".join(map(str, numbers))),
            *(sys.executable, "-m", "sockudo", "serve", "--config", str(config)),
            stdout=output,
            stderr=output,
            cwd=folder,
            pass_fds=numbers,
            env=clean_environ() | {"NOTIFY_SOCKET": str(folder / "notify")} | dict(environ or {}),
        )
        running = Service(process, line, log)
        try:
            yield running
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                process.send_signal(signal.SIGTERM)
            await running.ended()


@contextlib.contextmanager
def listening_socket(address: str = "127.0.0.1") -> Iterator[socket.socket]:
    """Open a socket as the manager does, on a port of the system's choice."""
    with contextlib.closing(socket.create_server((address, 0))) as opened:
        yield opened
