"""A server whose log goes to a file or a pipe of the test."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.clients.client import http
from tests.servers.ports import free_port
from tests.servers.server import clean_environ, document


@dataclass(frozen=True)
class Served:
    """A server, of one process or of several."""

    port: int
    process: asyncio.subprocess.Process

    async def refusals(self, count: int) -> None:
        """Make requests that are refused: lines of the log tell of them."""
        for number in range(count):
            target = f"/apps/1/channels?auth_key=app-key&auth_timestamp={number}&auth_version=1.0&auth_signature=x"
            assert (await http(self.port, "GET", target)).status == 401

    async def ended(self) -> int:
        """End it in order and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(40):
            return await self.process.wait()


@contextlib.asynccontextmanager
async def serving_into(
    folder: Path, output: IO[Any] | int, environ: Mapping[str, str] | None = None, **changes: Any
) -> AsyncIterator[Served]:
    """Run `sockudo serve` with its output and its errors in `output`; it answers when this returns."""
    port = free_port()
    config = folder / "config.json"
    config.write_text(json.dumps(document(**changes) | {"port": port}))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sockudo", "serve", "--config", str(config)),
        stdout=output,
        stderr=output,
        cwd=folder,
        env=clean_environ() | {"LOG_OUTPUT_FORMAT": "json"} | dict(environ or {}),
    )
    try:
        async with asyncio.timeout(60):
            await _answers(port, process)
        yield Served(port, process)
    finally:
        if process.returncode is None:
            # A second signal ends the workers of a supervisor too.
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGTERM)
            await process.wait()


async def _answers(port: int, process: asyncio.subprocess.Process) -> None:
    while True:
        assert process.returncode is None, "the server did not start"
        with contextlib.suppress(OSError):
            if (await http(port, "GET", "/up")).status == 200:
                return
        await asyncio.sleep(0.05)
