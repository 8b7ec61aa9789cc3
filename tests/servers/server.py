"""A running server for tests: in the test's own event loop, or as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sockudo
from sockudo.assembly.makers.plain import PLAIN, Makers
from sockudo.assembly.server import Assembly, assemble
from sockudo.bus.base import Adapter
from sockudo.cluster.times import ClusterTimes
from sockudo.config.model import Settings
from sockudo.timing.clock import LoopClock
from tests.fakes.fast_clock import FastClock
from tests.support.logged_secrets import LOGGED


def quick_times(speed: float = 1) -> ClusterTimes:
    """Return times by which nodes notice soon that another is gone, on a clock that is `speed` times as fast.

    However fast it is, a broker takes as long as it does.
    """
    return ClusterTimes(
        heartbeat_interval=0.3 * speed, node_timeout=1.5 * speed, delta_interval=0.005 * speed, introduction=0.01
    )


APP_ID, KEY, SECRET = "1", "app-key", "app-secret"


def app(**changes: Any) -> dict[str, Any]:
    """Return an app as configuration has it, with client events on."""
    return {"id": APP_ID, "key": KEY, "secret": SECRET, "enable_client_messages": True} | changes


def document(*apps: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a configuration for a loopback port of the system's choice."""
    made = {"host": "127.0.0.1", "port": 0, "app_manager": {"array": {"apps": list(apps) or [app()]}}} | changes
    LOGGED.use(made)
    return made


def settings(*apps: Mapping[str, Any], **changes: Any) -> Settings:
    """Return the settings of that configuration."""
    return Settings.model_validate(document(*apps, **changes))


@dataclass(frozen=True)
class RunningServer:
    """A server in this event loop; its parts can be looked at."""

    port: int
    assembly: Assembly


@contextlib.asynccontextmanager
async def running_server(
    *apps: Mapping[str, Any],
    speed: float = 1,
    adapter: Adapter | None = None,
    makers: Makers = PLAIN,
    sockets: Sequence[socket.socket] = (),
    **changes: Any,
) -> AsyncIterator[RunningServer]:
    """Run a server in this event loop, with a clock `speed` times as fast; other arguments as for `settings`.

    Args:
        sockets: what it listens on, where it opens none itself.
    """
    loop = asyncio.get_running_loop()
    clock = LoopClock(loop) if speed == 1 else FastClock(loop, speed)
    assembly = assemble(settings(*apps, **changes), clock, adapter, quick_times(speed), makers=makers)
    ((_, port),) = await assembly.start(sockets)
    try:
        yield RunningServer(port, assembly)
    finally:
        await assembly.stop()


@dataclass
class ServerProcess:
    """A server in a process of its own."""

    port: int
    process: subprocess.Popen[str]

    def send_signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    async def exit_status(self) -> int:
        """Wait for the end, while this event loop goes on."""
        return await asyncio.to_thread(self.process.wait, 20)

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout: float = 20) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout)


def clean_environ() -> dict[str, str]:
    """Return an environment without settings, in which Python finds the package that is tested."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    return kept | {"PYTHONPATH": str(Path(sockudo.__file__).parents[1])}


@contextlib.contextmanager
def server_process(
    folder: Path, *apps: Mapping[str, Any], environ: Mapping[str, str] | None = None, **changes: Any
) -> Iterator[ServerProcess]:
    """Run `sockudo serve` with a configuration file in `folder`, and with more variables; ready when this returns."""
    config = folder / "config.json"
    config.write_text(json.dumps(document(*apps, **changes)))
    with serving(folder, ["--config", str(config)], environ or {}) as server:
        yield server


@contextlib.contextmanager
def serving(folder: Path, arguments: Sequence[str], environ: Mapping[str, str]) -> Iterator[ServerProcess]:
    """Run `sockudo serve` with options and variables, on a port of 127.0.0.1 or a unix socket; ready after that."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sockudo", "serve", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=clean_environ() | {"PYTHONUNBUFFERED": "1", "LOG_OUTPUT_FORMAT": "json"} | dict(environ),
    )
    log = folder / "server.log"
    copying: threading.Thread | None = None
    try:
        port = _listening_port(process, log)
        # A pipe that nobody reads would stop the server once it is full.
        copying = threading.Thread(target=_copy, args=(process, log), daemon=True)
        copying.start()
        yield ServerProcess(port, process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if copying is not None:
            copying.join()
            LOGGED.wrote(log.read_text())
        assert process.stdout is not None
        process.stdout.close()


def _copy(process: subprocess.Popen[str], log: Path) -> None:
    """Append what the server writes to its log, line by line, until it ends."""
    assert process.stdout is not None
    with log.open("a", buffering=1) as file:
        for line in process.stdout:
            file.write(line)


def _listening_port(process: subprocess.Popen[str], log: Path) -> int:
    """Read the log until the banner names the address."""
    assert process.stdout is not None
    seen: list[str] = []
    for line in process.stdout:
        seen.append(line)
        if found := re.search(r"https?://127\.0\.0\.1:(\d+)|http\+unix:", line):
            log.write_text("".join(seen))
            return int(found.group(1) or 0)
    raise AssertionError("the server did not start:\n" + "".join(seen))
