"""Faults of the workers of one machine, on the bus between them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.workers import NODE_TIMEOUT, WorkersFleet, running_workers

# Nodes count as dead after some seconds of silence, and clients as slow: three of them need both cores.
pytestmark = [pytest.mark.alone, pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")]


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[WorkersFleet]:
    async with running_workers(tmp_path, 3) as fleet:
        yield fleet


async def test_a_worker_is_killed_and_another_takes_its_place(fleet: WorkersFleet) -> None:
    before = fleet.workers.alive()
    os.kill(before[1].pid, signal.SIGKILL)
    fleet.killed(before[1])
    await fleet.churn()
    await fleet.workers.server.logged("worker ready", 4)
    await fleet.converged()
    after = fleet.workers.alive()
    assert len(after) == 3
    assert [process for process in after if process in before] == [before[0], before[2]]
    await fleet.check()


async def test_a_worker_is_stopped_for_longer_than_the_timeout(fleet: WorkersFleet) -> None:
    stopped = fleet.workers.alive()[1]
    async with fleet.outage(stopped):
        os.kill(stopped.pid, signal.SIGSTOP)
        stopped.whole_until = asyncio.get_running_loop().time()
        await fleet.churn()
        await asyncio.sleep(NODE_TIMEOUT + 1)
        await fleet.churn()
        os.kill(stopped.pid, signal.SIGCONT)
        stopped.whole_until = None
    await fleet.check()


async def test_workers_are_replaced_one_by_one_and_nothing_is_lost(fleet: WorkersFleet) -> None:
    before = fleet.workers.alive()
    fleet.workers.server.send(signal.SIGHUP)
    await fleet.churn()
    await fleet.workers.server.logged("workers: all replaced")
    assert not [process for process in fleet.workers.alive() if process in before]
    await fleet.converged()
    await fleet.check()
