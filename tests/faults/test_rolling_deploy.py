"""Nodes behind HAProxy, replaced one by one under load."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from tests.clients.attack import until
from tests.faults.buses import Bus
from tests.faults.checker import History, Session
from tests.faults.fleet import NODE_TIMEOUT, Fleet
from tests.faults.haproxy import ProxyDoor
from tests.faults.node import Node
from tests.servers.proxies import OPS

_BACK_WITHIN: Final = 10.0
_PUBLISHERS: Final = 3


# A node that gets no core for as long as the others wait for it is dead to them, and its members leave.
@pytest.mark.alone
@pytest.mark.parametrize("bus", ["redis"], indirect=True)
async def test_a_rolling_deploy_behind_haproxy_loses_nothing(bus: Bus, tmp_path: Path) -> None:
    nodes = [Node(name, tmp_path, bus, readiness_delay=recommended_delay()) for name in "abc"]
    async with contextlib.AsyncExitStack() as stack:
        for node in nodes:
            stack.push_async_callback(node.aclose)
        await asyncio.gather(*(node.start() for node in nodes))
        door = ProxyDoor(tmp_path, nodes)
        stack.enter_context(door.running())
        fleet = Fleet([door], NODE_TIMEOUT, _PUBLISHERS)
        stack.push_async_callback(fleet.aclose)
        await fleet.come()
        for node in nodes:
            await replace(node, door, fleet)
        await fleet.published(100)
        await fleet.stop_publishers()
        await fleet.converged()
        # What was accepted last may still be on its way.
        await asyncio.sleep(1)
        check(fleet.history)
        await fleet.leave()


def recommended_delay() -> int:
    """Return the `readiness_delay` of the recipe whose HAProxy this is."""
    found = re.search(r'READINESS_DELAY: "(\d+)"', (OPS / "compose" / "three-nodes.yaml").read_text())
    assert found is not None
    return int(found[1])


async def replace(node: Node, door: ProxyDoor, fleet: Fleet) -> None:
    """Replace a node; it serves again when this returns, and rosters are true."""
    before = door.came_up(node)
    node.send(signal.SIGTERM)
    assert await node.ended() == 0
    await fleet.published(50)
    await node.start()
    await until(lambda: door.came_up(node) > before)
    await fleet.published(50)
    await fleet.converged()


def check(history: History) -> None:
    """Check that every publish was accepted, no event was lost or doubled, and everybody was back soon."""
    refused = [publish for publish in history.publishes if publish.accepted_at is None]
    assert not refused, f"{len(refused)} of {len(history.publishes)} publishes failed: {refused[:5]}"
    # What a publisher says through several nodes has no order.
    problems = [problem for problem in history.problems() if " after " not in problem]
    assert not problems, "\n".join(problems[:20])
    assert all(len(session.seen) == len(set(session.seen)) for session in history.sessions)
    moved: dict[str, list[Session]] = defaultdict(list)
    for session in history.sessions:
        moved[session.client].append(session)
    gaps = [
        min(following.subscribed_at.values()) - session.ended_at
        for sessions in moved.values()
        for session, following in pairwise(sessions)
        if session.ended_at is not None
    ]
    assert len(gaps) >= len(moved)
    assert max(gaps) < _BACK_WITHIN
    assert {session.close_code for session in history.sessions if session.ended_at is not None} == {4200}
