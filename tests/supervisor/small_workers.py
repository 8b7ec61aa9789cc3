"""A supervisor in the event loop of a test, whose workers are small programs, with short waits."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from sockudo.ratelimit.area import new_area
from sockudo.supervisor import crew, worker_place
from sockudo.supervisor.crew import Crew
from sockudo.supervisor.listening.listeners import close_listeners, open_listeners
from sockudo.supervisor.roll import Roll
from sockudo.supervisor.service_manager import ServiceManager
from sockudo.supervisor.supervisor import Supervisor
from sockudo.supervisor.worker_place import WorkerPlace
from sockudo.supervisor.worker_process import Shared

PROLOGUE = """
import json, os, socket, sys, time
given = json.loads(os.environ["_SOCKUDO_WORKER"])
line = socket.socket(fileno=given["control"])
lives = int(open("lives").read() or 0) if os.path.exists("lives") else 0
open("lives", "w").write(str(lives + 1))
"""
SERVES = 'line.sendall(b"ready\\n")\nwhile (order := line.recv(100)) not in (b"", b"drain\\n", b"retire\\n"): pass\n'
DEAF = 'line.sendall(b"ready\\n")\ntime.sleep(600)\n'
FAILS = "line.sendall(b'failed \"no broker\"\\n')\nsys.exit(2)\n"
REFUSES = "line.sendall(b'refused \"no such setting\"\\n')\nsys.exit(2)\n"
# Goes on once the test lets it.
WAITS = 'while not os.path.exists("go"): time.sleep(0.01)\n'
DIES_READY = 'line.sendall(b"ready\\n")\nsys.exit(3)\n'


def shorten_waits(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Run workers in a folder, with waits that a test can wait for."""
    monkeypatch.setattr(worker_place, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(worker_place, "_PROOF", 0.05)
    monkeypatch.setattr(crew, "_SPARE_SECONDS", 0.2)
    monkeypatch.setattr(worker_place, "LINGER", 0.0)
    monkeypatch.chdir(folder)


class Run:
    """A supervisor in this event loop."""

    def __init__(self, script: str, count: int, grace: float) -> None:
        Path("worker.py").write_text(PROLOGUE + script)
        self.listeners = open_listeners("127.0.0.1", 0, count, balanced=True)
        self.crew = Crew([sys.executable, "worker.py"], os.environ, Shared(Path.cwd(), new_area(4096)))
        self.supervisor = Supervisor(self.listeners, self.crew, ServiceManager(), grace=grace, balanced=True)
        self.started: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(self.supervisor.run(lambda processes: self.started.set_result(processes)))

    @property
    def places(self) -> list[WorkerPlace]:
        return self.supervisor._places

    @property
    def pids(self) -> list[int]:
        """The workers in charge."""
        return [place.worker.pid for place in self.places if place.worker is not None]

    @property
    def roll(self) -> Roll:
        return self.supervisor._roll

    async def status(self) -> int:
        """Wait for the end."""
        return await asyncio.wait_for(self.task, 60)


@contextlib.asynccontextmanager
async def supervised(script: str, count: int = 1, *, grace: float = 0.2) -> AsyncIterator[Run]:
    """Supervise a program; whatever the test has done, nothing is left of it."""
    run = Run(script, count, grace)
    try:
        yield run
    finally:
        run.supervisor.stopping.hurry("the test is over")
        await asyncio.wait({run.task}, timeout=30)
        close_listeners(run.listeners)


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that only processes can bring about."""
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come about")


def lives() -> int:
    """How many workers were started."""
    return int(Path("lives").read_text() or 0) if Path("lives").exists() else 0


def socket_files() -> list[str]:
    """What the workers have left in their directory."""
    return sorted(path.name for path in Path.cwd().glob("*.sock"))


def written(script: str) -> None:
    """Let the next workers run another program."""
    Path("worker.py").write_text(PROLOGUE + script)


def let_go() -> None:
    """Let the workers go on that wait."""
    Path("go").touch()
