"""How workers are replaced when they misbehave; they are small programs here, and the waits are short."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import TypeAlias

import pytest

from sockudo.supervisor import crew, worker_place
from tests.servers.workers import is_alive
from tests.supervisor.small_workers import (
    DIES_READY,
    FAILS,
    REFUSES,
    SERVES,
    WAITS,
    Run,
    let_go,
    lives,
    shorten_waits,
    supervised,
    until,
    written,
)
from tests.support.log_lines import CapturedLog

Capture: TypeAlias = pytest.CaptureFixture[str]

DIED = "worker not replaced: the new one died"
CANNOT_START = "worker not replaced: the new one cannot start"
INTERRUPTED = "workers: replacement interrupted, the old workers go on"


def on_life(number: int, script: str) -> str:
    """Let one of the workers, by the order in which they start, do something else."""
    return f"if lives == {number}:\n" + "".join(f" {line}\n" for line in script.splitlines())


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shorten_waits(monkeypatch, tmp_path)


async def started(run: Run) -> list[int]:
    """Wait until every worker serves, and return them."""
    return await asyncio.wait_for(run.started, 60)


async def test_workers_are_replaced_one_by_one() -> None:
    async with supervised(SERVES, 2) as run:
        old = await started(run)
        run.supervisor.roll()
        await until(lambda: run.roll.is_idle)
        new = run.pids
        assert len({*old, *new}) == 4
        assert not any(is_alive(pid) for pid in old)
        # The new ones are looked after as the old ones were.
        os.kill(new[0], signal.SIGKILL)
        await until(
            lambda: run.places[0].worker and run.places[0].worker.is_ready and run.places[0].worker.pid != new[0]
        )


async def test_a_reload_during_a_roll_rolls_once_more() -> None:
    async with supervised(on_life(1, WAITS) + SERVES) as run:
        await started(run)
        run.supervisor.roll()
        await until(lambda: lives() == 2)
        for _ in range(2):
            run.supervisor.roll()
        let_go()
        await until(lambda: run.roll.is_idle)
        assert lives() == 3


async def test_a_refused_configuration_leaves_everything_as_it_is(capsys: Capture) -> None:
    captured = CapturedLog(capsys)
    async with supervised(SERVES, 2) as run:
        old = await started(run)
        written(REFUSES)
        run.supervisor.roll()
        await until(lambda: run.roll.is_idle)
        assert run.pids == old
        assert all(is_alive(pid) for pid in old)
        assert lives() == 3
        (told,) = captured.lines(CANNOT_START)
        assert told["reason"] == "no such setting"


async def test_a_reload_during_a_refused_roll_is_not_lost() -> None:
    async with supervised(SERVES) as run:
        (old,) = await started(run)
        written(WAITS + REFUSES)
        run.supervisor.roll()
        await until(lambda: lives() == 2)
        written(SERVES)
        run.supervisor.roll()
        let_go()
        await until(lambda: run.roll.is_idle)
        assert not is_alive(old)


async def test_a_system_without_room_delays_the_roll(capsys: Capture) -> None:
    captured = CapturedLog(capsys)
    async with supervised(SERVES) as run:
        (old,) = await started(run)
        command, run.crew._command = run.crew._command, ["/nonexistent"]
        run.supervisor.roll()
        await until(lambda: captured.lines(INTERRUPTED))
        assert run.pids == [old]
        run.crew._command = command
        await until(lambda: run.roll.is_idle)
        assert run.pids != [old]


async def test_a_successor_that_dies_leaves_the_old_worker_serving(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    captured = CapturedLog(capsys)
    monkeypatch.setattr(worker_place, "_PROOF", 600.0)
    async with supervised(on_life(1, DIES_READY) + on_life(2, WAITS) + SERVES) as run:
        (old,) = await started(run)
        run.supervisor.roll()
        await until(lambda: lives() == 3)
        (told,) = captured.lines(DIED)
        assert told["reason"] == "ended with status 3"
        assert (run.pids, is_alive(old)) == ([old], True)
        # The next attempt does better.
        monkeypatch.setattr(worker_place, "_PROOF", 0.05)
        let_go()
        await until(lambda: run.roll.is_idle)
        assert not is_alive(old)
        assert len(captured.lines("worker replaced")) == 1


async def test_a_successor_is_watched_while_the_old_worker_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    async with supervised(on_life(0, 'line.sendall(b"ready\\n")\ntime.sleep(600)\n') + SERVES) as run:
        (old,) = await started(run)
        monkeypatch.setattr(crew, "_SPARE_SECONDS", 600.0)
        run.supervisor.roll()
        await until(lambda: run.pids not in ([], [old]))
        os.kill(run.pids[0], signal.SIGKILL)
        await until(lambda: lives() == 3 and run.crew.ready_count == 2)
        assert is_alive(old)
        os.kill(old, signal.SIGKILL)
        await until(lambda: run.roll.is_idle)


async def test_a_successor_that_never_serves_is_ended_and_tried_again(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    captured = CapturedLog(capsys)
    async with supervised(on_life(1, "time.sleep(600)") + SERVES) as run:
        (old,) = await started(run)
        monkeypatch.setattr(crew, "_START_SECONDS", 0.3)
        run.supervisor.roll()
        await until(lambda: captured.lines(CANNOT_START))
        monkeypatch.setattr(crew, "_START_SECONDS", 60.0)
        assert "was not ready within" in captured.lines(CANNOT_START)[0]["reason"]
        await until(lambda: run.roll.is_idle)
        assert not is_alive(old)
        assert len(run.crew._alive) == 1


async def test_attempts_to_replace_a_worker_come_ever_later(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    captured = CapturedLog(capsys)
    monkeypatch.setattr(worker_place, "LONGEST_WAIT", 0.03)
    async with supervised(SERVES) as run:
        (old,) = await started(run)
        written(FAILS)
        run.supervisor.roll()
        await until(lambda: len(captured.lines(INTERRUPTED)) >= 4)
        assert [told["retry_in"] for told in captured.lines(INTERRUPTED)][:4] == [0.01, 0.02, 0.03, 0.03]
        assert (run.pids, is_alive(old)) == ([old], True)
        written(SERVES)
        await until(lambda: run.roll.is_idle)
        assert not is_alive(old)


async def test_a_reload_does_not_wait_for_the_next_attempt(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    captured = CapturedLog(capsys)
    async with supervised(SERVES, 2) as run:
        old = await started(run)
        monkeypatch.setattr(worker_place, "FIRST_WAIT", 600.0)
        written("if given['index']:\n sys.exit(2)\n" + SERVES)
        run.supervisor.roll()
        await until(lambda: captured.lines(INTERRUPTED))
        half = run.pids
        assert (half[0] != old[0], half[1] == old[1]) == (True, True)
        written(SERVES)
        run.supervisor.roll()
        await until(lambda: run.roll.is_idle)
        assert len({*old, *half, *run.pids}) == 5
        assert len(captured.lines("workers: all replaced")) == 1


async def test_a_successor_takes_over_at_once_from_a_dead_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_place, "_PROOF", 600.0)
    async with supervised(SERVES) as run:
        (old,) = await started(run)
        run.supervisor.roll()
        await until(lambda: run.crew.ready_count == 2)
        os.kill(old, signal.SIGKILL)
        await until(lambda: run.roll.is_idle)
        assert run.pids not in ([], [old])
        assert lives() == 2


async def test_the_sockets_of_a_successor_are_not_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_place, "_LONG_WAIT", 0.0)
    aside: list[object] = []
    monkeypatch.setattr(worker_place, "set_aside", aside.append)
    async with supervised(on_life(2, WAITS) + SERVES, 2) as run:
        old = await started(run)
        run.supervisor.roll()
        await until(lambda: lives() == 3)
        os.kill(old[0], signal.SIGKILL)
        # Another worker serves in its place until the successor does.
        await until(lambda: lives() == 4)
        assert aside == []
        let_go()
        await until(lambda: run.roll.is_idle)
        assert run.crew.ready_count == 2


async def test_a_reload_during_the_start_rolls_behind_it() -> None:
    async with supervised(WAITS + SERVES) as run:
        await until(lambda: lives() == 1)
        run.supervisor.roll()
        let_go()
        (first,) = await started(run)
        await until(lambda: run.roll.is_idle)
        assert lives() == 2
        assert run.pids != [first]


async def test_stopping_during_a_roll_leaves_nothing_behind() -> None:
    async with supervised(SERVES, 2) as run:
        old = await started(run)
        written("time.sleep(600)")
        run.supervisor.roll()
        await until(lambda: len(run.crew._alive) == 3)
        pids = [worker.pid for worker in run.crew._alive]
        run.supervisor.stopping.ask("test")
        assert await run.status() == 0
        assert not any(is_alive(pid) for pid in [*old, *pids])


async def test_a_reload_during_the_stop_starts_nothing(capsys: Capture) -> None:
    captured = CapturedLog(capsys)
    async with supervised(SERVES + WAITS, grace=60) as run:
        await started(run)
        run.supervisor.stopping.ask("test")
        await until(lambda: captured.lines("supervisor stopping"))
        run.supervisor.roll()
        let_go()
        assert await run.status() == 0
        assert lives() == 1
        assert len(captured.lines("reload ignored: the server is stopping")) == 1
