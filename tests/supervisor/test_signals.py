"""What a supervisor does with workers that misbehave; they are small programs here, and the waits are short."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from sockudo.ratelimit.area import new_area
from sockudo.supervisor import crew, worker_place
from sockudo.supervisor.crew import Crew
from sockudo.supervisor.listening.listeners import close_listeners, open_listeners
from sockudo.supervisor.supervisor import Supervisor
from sockudo.supervisor.worker_place import WorkerError, WorkerPlace
from sockudo.supervisor.worker_process import Shared
from tests.servers.workers import is_alive

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
DIES_READY = 'line.sendall(b"ready\\n")\nsys.exit(3)\n'


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(worker_place, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(crew, "_SPARE_SECONDS", 0.2)
    monkeypatch.setattr(worker_place, "LINGER", 0.0)
    monkeypatch.chdir(tmp_path)


class Run:
    """A supervisor in this event loop."""

    def __init__(self, script: str, count: int) -> None:
        Path("worker.py").write_text(PROLOGUE + script)
        self.listeners = open_listeners("127.0.0.1", 0, count, balanced=True)
        self.crew = Crew([sys.executable, "worker.py"], os.environ, Shared(Path.cwd(), new_area(4096)))
        self.supervisor = Supervisor(self.listeners, self.crew, grace=0.2, balanced=True)
        self.started: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(self.supervisor.run(lambda processes: self.started.set_result(processes)))

    @property
    def places(self) -> list[WorkerPlace]:
        return self.supervisor._places

    async def status(self) -> int:
        """Wait for the end."""
        return await asyncio.wait_for(self.task, 60)


@contextlib.asynccontextmanager
async def supervised(script: str, count: int = 1) -> AsyncIterator[Run]:
    """Supervise a program; whatever the test has done, nothing is left of it."""
    run = Run(script, count)
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


async def test_it_reports_all_workers_ready_and_ends_with_them() -> None:
    async with supervised(SERVES, 3) as run:
        pids = await asyncio.wait_for(run.started, 60)
        assert len(set(pids)) == 3
        run.supervisor.stopping.ask("test")
        assert await run.status() == 0
        assert not any(is_alive(pid) for pid in pids)


async def test_workers_that_never_start_end_it_after_three_attempts() -> None:
    async with supervised(FAILS) as run:
        with pytest.raises(WorkerError, match=r"^no broker$"):
            await run.status()
        assert lives() == 3
        assert not run.started.done()


async def test_one_that_cannot_start_ends_the_others_too() -> None:
    async with supervised('if given["index"]:\n sys.exit(4)\n' + SERVES, 2) as run:
        with pytest.raises(WorkerError, match=r"^ended with status 4$"):
            await run.status()
        assert run.crew.ready_count == 0


async def test_a_program_that_is_not_there_is_no_worker() -> None:
    async with supervised(SERVES) as run:
        run.crew._command = ["/nonexistent"]
        with pytest.raises(WorkerError, match="the system cannot start it"):
            await run.status()


async def test_a_worker_that_was_ready_is_restarted_forever_ever_later() -> None:
    async with supervised(DIES_READY) as run:
        await until(lambda: lives() >= 6)
        assert not run.task.done()
        # 10 ms, doubled each time.
        assert run.places[0]._wait >= 0.01 * 2**5


async def test_a_failure_after_success_does_not_end_it() -> None:
    async with supervised("if lives: sys.exit(2)\n" + SERVES) as run:
        pids = await asyncio.wait_for(run.started, 60)
        os.kill(pids[0], signal.SIGKILL)
        await until(lambda: lives() >= 5)
        assert not run.task.done()
        written(SERVES)
        await until(lambda: run.crew.ready_count == 1)


async def test_the_wait_is_short_again_after_a_good_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_place, "_GOOD_LIFE", 0.0)
    async with supervised(DIES_READY) as run:
        await until(lambda: lives() >= 4)
        assert run.places[0]._wait <= 0.02


async def test_the_wait_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_place, "LONGEST_WAIT", 0.02)
    async with supervised(DIES_READY) as run:
        await until(lambda: lives() >= 5)
        assert run.places[0]._wait == 0.02


async def test_a_place_that_waits_long_gets_no_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_place, "_LONG_WAIT", 0.0)
    aside: list[object] = []
    monkeypatch.setattr(worker_place, "set_aside", aside.append)
    async with supervised(SERVES, 2) as run:
        pids = await asyncio.wait_for(run.started, 60)
        os.kill(pids[1], signal.SIGKILL)
        await until(lambda: aside)
        assert aside == [run.listeners[1]]
        await until(lambda: run.crew.ready_count == 2)


async def test_a_worker_that_is_never_ready_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "_START_SECONDS", 0.2)
    async with supervised("time.sleep(600)") as run:
        with pytest.raises(WorkerError, match="was not ready within"):
            await run.status()


async def test_a_worker_that_does_not_listen_is_killed_eventually() -> None:
    async with supervised(DEAF, 2) as run:
        pids = await asyncio.wait_for(run.started, 60)
        run.supervisor.stopping.ask("test")
        assert await run.status() == 0
        assert not any(is_alive(pid) for pid in pids)


async def test_workers_are_replaced_one_by_one() -> None:
    async with supervised(SERVES, 2) as run:
        old = await asyncio.wait_for(run.started, 60)
        run.supervisor.roll()
        await until(lambda: run.supervisor._roll is None)
        new = [place.worker.pid for place in run.places if place.worker is not None]
        assert len({*old, *new}) == 4
        assert not any(is_alive(pid) for pid in old)
        # The new ones are looked after as the old ones were.
        os.kill(new[0], signal.SIGKILL)
        await until(
            lambda: run.places[0].worker and run.places[0].worker.is_ready and run.places[0].worker.pid != new[0]
        )


async def test_being_told_again_while_replacing_replaces_again() -> None:
    async with supervised(SERVES) as run:
        await asyncio.wait_for(run.started, 60)
        for _ in range(3):
            run.supervisor.roll()
        await until(lambda: run.supervisor._roll is None)
        assert lives() == 3


async def test_a_replacement_that_fails_leaves_everything_as_it_is() -> None:
    async with supervised(SERVES, 2) as run:
        old = await asyncio.wait_for(run.started, 60)
        written(FAILS)
        run.supervisor.roll()
        await until(lambda: run.supervisor._roll is None)
        assert [place.worker.pid for place in run.places if place.worker is not None] == old
        assert all(is_alive(pid) for pid in old)
        run.crew._command = ["/nonexistent"]
        run.supervisor.roll()
        await until(lambda: run.supervisor._roll is None)
        assert all(is_alive(pid) for pid in old)


async def test_stopping_while_replacing_leaves_nothing_behind() -> None:
    async with supervised(SERVES, 2) as run:
        old = await asyncio.wait_for(run.started, 60)
        written("time.sleep(600)")
        run.supervisor.roll()
        await until(lambda: len(run.crew._alive) == 3)
        pids = [worker.pid for worker in run.crew._alive]
        run.supervisor.stopping.ask("test")
        assert await run.status() == 0
        assert not any(is_alive(pid) for pid in [*old, *pids])


async def test_the_socket_of_a_dead_worker_is_removed() -> None:
    async with supervised('open(f"{given[\'serial\']}.sock", "w").close()\n' + SERVES) as run:
        pids = await asyncio.wait_for(run.started, 60)
        assert socket_files() == ["0.sock"]
        os.kill(pids[0], signal.SIGKILL)
        await until(lambda: socket_files() == ["1.sock"])
