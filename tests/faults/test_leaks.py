"""After rounds of a fault, and once every client is gone, processes are as they were: nothing has been left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from itertools import cycle, islice
from pathlib import Path
from typing import Final

import pytest

from sockudo.assembly.cluster import bus_from_settings
from sockudo.bus.base import Adapter
from sockudo.config.model import Settings
from tests.faults.buses import BEHIND_A_PROXY, Bus
from tests.faults.fleet import LONGER_THAN_THE_TIMEOUT, Cluster
from tests.faults.leaks import idle, memory, open_files, returned_to
from tests.faults.workers import running_workers

# Nodes count as dead after some seconds of silence, and clients as slow: three of them need both cores.
pytestmark = [pytest.mark.alone, pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")]

ROUNDS: Final = 5
# A server grows by less than a tenth of that, because memory is given out in other places.
MOST_GROWTH: Final = 2 * 1024 * 1024


@pytest.mark.parametrize("bus", BEHIND_A_PROXY, indirect=True)
async def test_rounds_of_partitions_leave_nothing_behind(cluster: Cluster, bus: Bus) -> None:
    def adapter() -> Adapter:
        made, _ = bus_from_settings(Settings.model_validate({"adapter": bus.adapter(bus.port)}))
        assert made is not None
        return made

    processes = [node.process.pid for node in cluster.nodes]
    await cluster.churn()
    await cluster.leave()
    baseline = {pid: open_files(pid) for pid in processes}
    used: list[list[int]] = []
    for kind, node in islice(zip(cycle(["cut", "stall", "black hole"]), cycle(cluster.nodes)), ROUNDS):
        await cluster.come()
        async with cluster.parted(node, kind):
            await cluster.churn()
            await asyncio.sleep(LONGER_THAN_THE_TIMEOUT)
        await cluster.leave()
        await returned_to(baseline)
        used.append([memory(pid) for pid in processes])
    await idle(adapter, processes)
    for first, last in zip(used[0], used[-1], strict=True):
        assert last - first < MOST_GROWTH
    assert not cluster.history.problems()


async def test_rounds_of_killed_workers_leave_nothing_behind(tmp_path: Path) -> None:
    async with running_workers(tmp_path, 3) as fleet:
        survivor, *_ = fleet.workers.alive()
        await fleet.leave()
        baseline = {pid: open_files(pid) for pid in (survivor.pid, fleet.workers.server.process.pid)}
        for round_number in range(1, 4):
            await fleet.come()
            victim = fleet.workers.alive()[-1]
            os.kill(victim.pid, signal.SIGKILL)
            fleet.killed(victim)
            await fleet.churn()
            await fleet.workers.server.logged("worker ready", 3 + round_number)
            await fleet.leave()
            await returned_to(baseline)
        await idle(fleet.workers.adapter, [process.pid for process in fleet.workers.alive()])
        assert len(list(fleet.workers.folder.iterdir())) == 3
        assert not fleet.history.problems()
