"""A node: `sockudo serve` in a process of its own, with a bus that it may reach through a proxy of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from tests.clients.raw import HttpConnection
from tests.faults.buses import Bus
from tests.faults.doors import Process
from tests.faults.load import APP_ID
from tests.faults.proxy import Proxy
from tests.servers.server import app, clean_environ

_BANNER = re.compile(rb"http://127\.0\.0\.1:(\d+)")


class Node:
    """A place in the cluster, which one process after the other takes, always at the same port."""

    def __init__(self, name: str, folder: Path, bus: Bus, **settings: object) -> None:
        self.name = name
        self.port = 0
        self.proxy = Proxy(bus.port)
        self.process: Process
        self._log: list[str] = []
        self._bus = bus
        self._settings = settings
        self._config = folder / f"{name}.json"
        self._running: asyncio.subprocess.Process
        self._listening: asyncio.Future[int]
        self._reading: asyncio.Task[None]

    @property
    def is_running(self) -> bool:
        """Whether its process lives."""
        return self._running.returncode is None

    async def start(self) -> None:
        """Start it; it is ready then."""
        if not self.proxy.port:
            await self.proxy.start()
        document = {
            "host": "127.0.0.1",
            "port": self.port,
            "app_manager": {"array": {"apps": [app(id=APP_ID)]}},
            "adapter": self._bus.adapter(self.proxy.port),
        } | self._settings
        self._config.write_text(json.dumps(document))
        self._running = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sockudo", "serve", "--config", str(self._config)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=self._config.parent,
            env=clean_environ() | {"PYTHONUNBUFFERED": "1", "LOG_OUTPUT_FORMAT": "json"},
        )
        self.process = Process(self.name, self._running.pid)
        self._listening = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(self._read())
        async with asyncio.timeout(40):
            self.port = await self._listening

    def send(self, number: signal.Signals) -> None:
        """Send a signal; one that ends or stops the node befalls it now."""
        self.process.whole_until = None if number is signal.SIGCONT else time.monotonic()
        self._running.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end and return the exit status."""
        async with asyncio.timeout(40):
            await self._reading
            return await self._running.wait()

    async def aclose(self) -> None:
        """End it whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            self._running.kill()
        await self.ended()
        await self.proxy.aclose()

    def log(self) -> Sequence[str]:
        """Return the lines that all its processes wrote."""
        return self._log

    def process_of(self, client_port: int) -> Process:
        """Return the process: there is one only."""
        return self.process

    @contextlib.asynccontextmanager
    async def connections(self) -> AsyncIterator[Sequence[tuple[Process, HttpConnection]]]:
        """Connect to the process, if it lives."""
        if not self.is_running:
            yield ()
            return
        async with HttpConnection(self.port) as connection:
            yield ((self.process, connection),)

    async def _read(self) -> None:
        """Keep what it writes; the banner names the address."""
        assert self._running.stdout is not None
        async for line in self._running.stdout:
            self._log.append(line.decode())
            if (found := _BANNER.search(line)) and not self._listening.done():
                self._listening.set_result(int(found.group(1)))
        if not self._listening.done():
            log = "".join(self._log)
            self._listening.set_exception(AssertionError(f"the node {self.name} did not start:\n{log}"))
