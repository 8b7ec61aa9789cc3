"""A server of several processes for tests: the real command, its log, and who is connected to which worker."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import sockudo
from tests.servers.server import document
from tests.support.logged_secrets import LOGGED

WAIT = 60.0
_ESTABLISHED = "01"

# The server runs in a directory of its own, where a relative path leads nowhere.
SOURCES = str(Path(sockudo.__file__).parents[1])


class WorkersProcess:
    """A supervisor and what it has printed so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._printed = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._in_banner(r"https?://127\.0\.0\.1:(\d+)"))

    @property
    def pids(self) -> list[int]:
        """The workers that were started first."""
        return [int(pid) for pid in self._in_banner(r"processes ([\d, ]+)").split(", ")]

    def events(self, message: str) -> list[dict[str, Any]]:
        """Return the lines of the log with this message."""
        found = (json.loads(line) for line in self.lines if line.startswith("{"))
        return [event for event in found if event["message"] == message]

    async def logged(self, message: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until the log has this message so many times, and return those lines."""
        async with asyncio.timeout(WAIT):
            while len(self.events(message)) < count:
                await self._next()
        return self.events(message)

    async def greeted(self) -> None:
        """Wait for the banner."""
        async with asyncio.timeout(WAIT):
            while not any("Try next" in line for line in self.lines):
                await self._next()

    async def ended(self) -> int:
        """Wait for the end and return the exit status."""
        async with asyncio.timeout(WAIT):
            await self._reading
            return await self.process.wait()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the supervisor."""
        self.process.send_signal(number)

    def _in_banner(self, pattern: str) -> str:
        found = re.search(pattern, "".join(self.lines))
        assert found is not None, self.lines
        return found.group(1)

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode())
            LOGGED.wrote(self.lines[-1])
            self._printed.set()
        self._printed.set()

    async def _next(self) -> None:
        assert not self._reading.done(), "the server has ended:\n" + "".join(self.lines)
        self._printed.clear()
        await self._printed.wait()


@contextlib.asynccontextmanager
async def workers_process(
    folder: Path, *arguments: str, environ: Mapping[str, str] | None = None, **changes: Any
) -> AsyncIterator[WorkersProcess]:
    """Run `sockudo serve` in `folder`; ends it and its workers, whatever the test has done."""
    config = folder / "config.json"
    config.write_text(json.dumps(document(**changes)))
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    kept["PYTHONPATH"] = SOURCES
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sockudo", "serve", "--config", str(config), *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        env={**kept, "PYTHONUNBUFFERED": "1", "LOG_OUTPUT_FORMAT": "json", **(environ or {})},
    )
    server = WorkersProcess(process)
    try:
        yield server
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGTERM)
        # The end of the output is the end of the last worker too.
        await server.ended()


def open_sockets(pid: int) -> int:
    """How many sockets a process has."""
    folder = f"/proc/{pid}/fd"
    count = 0
    for name in os.listdir(folder):
        with contextlib.suppress(OSError):
            count += os.readlink(f"{folder}/{name}").startswith("socket:")
    return count


def owner(port: int, client_port: int, pids: Sequence[int]) -> int:
    """Return which of these processes has the server's end of a connection to `port` from `client_port`."""
    end = f"socket:[{_inode(port, client_port)}]"
    for pid in pids:
        folder = f"/proc/{pid}/fd"
        for name in os.listdir(folder):
            with contextlib.suppress(OSError):
                if os.readlink(f"{folder}/{name}") == end:
                    return pid
    raise AssertionError(f"none of {pids} has the other end of port {client_port}")


def _inode(local: int, remote: int) -> str:
    """Return the inode of a socket of an established connection, as `/proc` has it."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, here, there, state, *rest = line.split()
        ports = int(here.rpartition(":")[2], 16), int(there.rpartition(":")[2], 16)
        if ports == (local, remote) and state == _ESTABLISHED:
            return rest[5]
    raise AssertionError(f"there is no connection from port {remote} to port {local}")


def is_alive(pid: int) -> bool:
    """Whether a process runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def process_name(pid: int) -> str:
    """What lists of processes show."""
    return Path(f"/proc/{pid}/comm").read_text().strip()
