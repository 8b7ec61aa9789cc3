"""What processes hold: open files and memory as the system counts them, and what they say of themselves on the bus."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Final

from sockudo.bus.base import Adapter
from sockudo.cluster.visitors import roll_call
from tests.faults.checker import differences

# A topic is left a second after its last subscriber.
_WITHIN: Final = 5.0
_ANSWERS_WITHIN: Final = 0.4


def open_files(pid: int) -> int:
    """Return how many files and sockets a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory(pid: int) -> int:
    """Return how many bytes of a process are in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def returned_to(baseline: Mapping[int, int]) -> None:
    """Check that processes soon have no more open files than at first; `baseline` is process -> files."""
    deadline = time.monotonic() + _WITHIN
    while more := {pid: (open_files(pid), files) for pid, files in baseline.items() if open_files(pid) > files}:
        assert time.monotonic() < deadline, f"process -> open files now and at first: {more}"
        await asyncio.sleep(0.05)


async def idle(new_adapter: Callable[[], Adapter], processes: Collection[int]) -> None:
    """Check that soon exactly these processes are on the bus, and have no clients, channels or topics."""
    deadline = time.monotonic() + _WITHIN
    while problems := await _busy(new_adapter(), processes):
        assert time.monotonic() < deadline, "\n".join(problems)


async def _busy(adapter: Adapter, processes: Collection[int]) -> list[str]:
    found = list((await roll_call(adapter, _ANSWERS_WITHIN)).values())
    problems = differences("bus", "processes", [str(node.process) for node in found], [str(pid) for pid in processes])
    for node in found:
        name = f"process {node.process}"
        problems += differences(name, "connections", node.connections, 0)
        problems += differences(name, "channels", node.channels, 0)
        problems += differences(name, "topics", node.topics, 0)
    return problems
