"""Scenarios on two workers are served by both."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter

import pytest

from tests.clients.client import PusherClient
from tests.servers.forge import COUNT, Forge, running_workers
from tests.servers.workers import owner

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


async def test_clients_of_scenarios_reach_both_workers(forge: Forge) -> None:
    async with running_workers(forge) as (nodes, workers), contextlib.AsyncExitStack() as stack:
        pids = [worker.pid for worker in workers]
        owners: list[int] = []
        for _ in range(30 * (COUNT + 1)):
            port = nodes.port
            client = await stack.enter_async_context(PusherClient(port))
            owners.append(owner(port, client.local_port, pids))
        first, second, shared = (owners[turn :: COUNT + 1] for turn in range(COUNT + 1))
        assert set(first) == {pids[0]}
        assert set(second) == {pids[1]}
        # By a hash of the addresses: that all thirty land on one is less likely than one in a hundred million.
        assert set(shared) == set(pids), Counter(shared)
