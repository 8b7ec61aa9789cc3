"""What a supervisor does with workers that misbehave; they are small programs here, and the waits are short."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from sockudo.supervisor import crew, worker_place
from sockudo.supervisor.worker_place import WorkerError
from tests.servers.workers import is_alive
from tests.supervisor.small_workers import (
    DEAF,
    DIES_READY,
    FAILS,
    SERVES,
    lives,
    shorten_waits,
    socket_files,
    supervised,
    until,
    written,
)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shorten_waits(monkeypatch, tmp_path)


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


async def test_the_socket_of_a_dead_worker_is_removed() -> None:
    async with supervised('open(f"{given[\'serial\']}.sock", "w").close()\n' + SERVES) as run:
        pids = await asyncio.wait_for(run.started, 60)
        assert socket_files() == ["0.sock"]
        os.kill(pids[0], signal.SIGKILL)
        await until(lambda: socket_files() == ["1.sock"])


async def test_a_stop_does_not_wait_for_a_crashed_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_place, "FIRST_WAIT", 600.0)
    async with supervised(DIES_READY) as run:
        await until(lambda: lives() == 1 and run.places[0].worker is None)
        run.supervisor.stopping.ask("test")
        assert await asyncio.wait_for(run.status(), 30) == 0
        assert lives() == 1


async def test_a_stop_grants_a_starting_worker_no_grace_period() -> None:
    deaf = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nopen('deaf', 'w').close()\ntime.sleep(600)\n"
    async with supervised(deaf, grace=600) as run:
        await until(Path("deaf").exists)
        run.supervisor.stopping.ask("test")
        assert await asyncio.wait_for(run.status(), 30) == 0
        assert not run.crew._alive
