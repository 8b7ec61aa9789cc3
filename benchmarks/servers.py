"""The servers that loads are run against: this one, the yardstick, and any other by its command line."""

from __future__ import annotations

import json
import random
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from load import program

CONFIG: dict[str, Any] = {
    "host": "127.0.0.1",
    "app_manager": {
        "array": {
            "apps": [
                {
                    "id": "1",
                    "key": "app-key",
                    "secret": "app-secret",
                    "enable_client_messages": True,
                    "max_client_events_per_second": 10_000_000,
                    "max_presence_members_per_channel": 100_000,
                }
            ]
        }
    },
}


@dataclass(frozen=True)
class Peer:
    """Another server: its name, its command, the port that it listens on, and what wsload is told besides."""

    name: str
    command: Sequence[str]
    port: int
    options: Sequence[str] = ()

    @classmethod
    def parse(cls, text: str) -> Peer:
        """Read NAME=COMMAND:PORT."""
        name, found, rest = text.partition("=")
        command, colon, port = rest.rpartition(":")
        if not (name and found and command and colon and port.isdigit()):
            raise SystemExit(f"--peer wants NAME=COMMAND:PORT, not {text!r}")
        return cls(name, shlex.split(command), int(port))

    @contextmanager
    def running(self) -> Iterator[tuple[int, int]]:
        """Run it; yield its port and process."""
        with running(self.command, self.port) as pid:
            yield self.port, pid


@contextmanager
def sockudo(settings: dict[str, Any] | None = None, *options: str) -> Iterator[tuple[int, int]]:
    """Run this server with `CONFIG` and further settings; yield its port and process."""
    port = free_ports(1)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        config.write_text(json.dumps(CONFIG | (settings or {})))
        with running(sockudo_command(config, port, *options), port) as pid:
            yield port, pid


def sockudo_command(config: Path, port: int, *options: str) -> list[str]:
    """Return the command that serves with this configuration."""
    return [sys.executable, "-m", "sockudo", "serve", "--config", str(config), "--port", str(port), *options]


@contextmanager
def wslimit() -> Iterator[tuple[int, int]]:
    """Run the yardstick; yield its port and process."""
    port = free_ports(1)
    with running([str(program("wslimit")), str(port)], port) as pid:
        yield port, pid


@contextmanager
def running(command: Sequence[str], port: int) -> Iterator[int]:
    """Run a server until the end of the block; yield its process once it listens."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{shlex.join(command)} does not listen on port {port}")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait(60)


def free_ports(count: int) -> int:
    """Return the first of so many free ports in a row, below those that the system gives to clients."""
    while True:
        first = random.randrange(10_000, 30_000)
        if not any(_listens(first + offset) for offset in range(count)):
            return first


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
