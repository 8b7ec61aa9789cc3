"""Writes a diagnosis of a running server to the log, as SIGUSR1 asks for.

It has counts and ids, and nothing that clients or back ends said. What is long is gone through in slices, and each list
has ten entries at most, so a diagnosis delays no client, however large the server is.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Generator, Iterable
from heapq import nlargest
from typing import Final

from sockudo.log import get_logger
from sockudo.node.node import Node
from sockudo.server.front import Front

_log = get_logger("sockudo.diagnosis")

MOST: Final = 10
"""Entries of a list."""

# Lag is measured with so many timers of that many seconds.
_TIMERS: Final = 20
_TIMER_SECONDS: Final = 0.01
# What is gone through between two looks at the clock.
_STEP: Final = 64

_Steps = Generator[None, None, None]


class Diagnosis:
    """Tells tasks, loop lag, sockets by state, largest outboxes, busiest channels and what is known of other nodes."""

    def __init__(self, front: Front, node: Node) -> None:
        self._front = front
        self._node = node
        self._running: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Write a diagnosis, soon; while one is written, nothing more is begun."""
        if self._running is None or self._running.done():
            self._running = asyncio.get_running_loop().create_task(self._write())

    async def written(self) -> None:
        """Wait until the diagnosis under way is written."""
        if self._running is not None:
            await self._running

    async def _write(self) -> None:
        try:
            self._tell_process(await _lag())
            await self._node.slices.run(self._tell_sockets())
            await self._node.slices.run(self._tell_channels())
            await self._node.slices.run(self._tell_replica())
        except Exception as error:
            # It must not hurt the server that is looked at.
            _log.error("diagnosis failed", exc_info=error)

    def _tell_process(self, lag: tuple[float, float]) -> None:
        tasks = asyncio.all_tasks()
        names = Counter(getattr(task.get_coro(), "__qualname__", "unknown") for task in tasks)
        largest, mean = lag
        _log.warning(
            "diagnosis: process",
            pid=os.getpid(),
            tasks=len(tasks),
            tasks_by_name=dict(names.most_common(MOST)),
            loop_lag_ms={"largest": round(largest * 1000, 2), "mean": round(mean * 1000, 2)},
            connections=self._node.counters.connections,
            disconnections=self._node.counters.disconnections,
            refused=self._node.counters.refused,
            slow_consumers=self._node.counters.slow_consumers,
        )

    def _tell_sockets(self) -> _Steps:
        states: Counter[str] = Counter()
        outboxes: list[tuple[int, str, str]] = []
        for number, websocket in enumerate(tuple(self._front.websockets.sockets)):
            states[websocket.state] += 1
            size = websocket.unsent_bytes
            connection = websocket.connection
            if size and connection is not None:
                outboxes = nlargest(MOST, [*outboxes, (size, connection.app.id, connection.socket_id)])
            if number % _STEP == 0:
                yield
        _log.warning("diagnosis: sockets", http=self._front.http_count, websocket=dict(states))
        entries = [{"app": app, "socket_id": socket_id, "bytes": size} for size, app, socket_id in outboxes]
        _log.warning("diagnosis: largest outboxes", outboxes=entries)

    def _tell_channels(self) -> _Steps:
        busiest: list[tuple[int, str, str]] = []
        count = 0
        for app_id in self._node.hub.app_ids():
            for channel in tuple(self._node.hub.channels(app_id)):
                count += 1
                size = channel.count
                if len(busiest) < MOST or size > busiest[-1][0]:
                    busiest = nlargest(MOST, [*busiest, (size, app_id, channel.name)])
                if count % _STEP == 0:
                    yield
        entries = [{"app": app, "channel": name, "subscribers": size} for size, app, name in busiest]
        _log.warning("diagnosis: busiest channels", channels=entries, count=count)
        yield

    def _tell_replica(self) -> _Steps:
        replica = self._node.peers.replica
        apps: list[tuple[int, str, int, int]] = []
        for app_id in replica.app_ids():
            members = 0
            names = tuple(replica.channels(app_id))
            for some in _parts(names):
                channels = (replica.channel(app_id, name) for name in some)
                members += sum(len(channel.members) for channel in channels if channel is not None)
                yield
            apps = nlargest(MOST, [*apps, (len(names), app_id, members, replica.connection_count(app_id))])
        entries = [
            {"app": app, "channels": channels, "members": members, "connections": connections}
            for channels, app, members, connections in apps
        ]
        _log.warning("diagnosis: other nodes", nodes=len(self._node.peers.node_ids()), apps=entries)
        yield


async def _lag() -> tuple[float, float]:
    """Return how late timers of the event loop fire now: the latest, and the mean (seconds)."""
    now = asyncio.get_running_loop().time
    late = []
    for _ in range(_TIMERS):
        due = now() + _TIMER_SECONDS
        await asyncio.sleep(_TIMER_SECONDS)
        late.append(max(0.0, now() - due))
    return max(late), sum(late) / len(late)


def _parts(names: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    return (names[start : start + _STEP] for start in range(0, len(names), _STEP))
