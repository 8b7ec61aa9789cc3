"""What serves, clients and publishers on it, and the questions that end every scenario."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Collection, Sequence
from pathlib import Path
from typing import Any, Final

from tests.clients.client import ApiClient
from tests.clients.raw import HttpConnection
from tests.faults.buses import NODE_TIMEOUT_MS, Bus
from tests.faults.checker import History, Outage, differences
from tests.faults.doors import Door, Process
from tests.faults.load import APP_ID, CHANNELS, LOST, ROOM, Client, Publisher
from tests.faults.node import Node

NODE_TIMEOUT: Final = NODE_TIMEOUT_MS / 1000
LONGER_THAN_THE_TIMEOUT: Final = NODE_TIMEOUT + 0.7
# What everybody must know the truth after, once all is well again.
_SPARE: Final = 2.0
_CLIENTS: Final = 12
_ANSWER_WITHIN: Final = 3.0
_DELAY: Final = 0.01


class Fleet:
    """Doors, clients, publishers, and the history of it all.

    Args:
        doors: where clients go in turn.
        node_timeout: after which silence the processes take each other for dead (seconds).
        publishers: how many there are; each has a door of its own, as long as there are enough.
    """

    def __init__(self, doors: Sequence[Door], node_timeout: float, publishers: int) -> None:
        self.history = History()
        self.clients: list[Client] = []
        self._doors = doors
        self._within = node_timeout + _SPARE
        self._gone: set[str] = set()
        self._publisher_count = publishers
        self._publishers: list[Publisher] = []
        self._born = 0
        self._hired = 0
        self._published = asyncio.Event()

    async def come(self) -> None:
        """Let clients and publishers come to where there are none."""
        self._add_clients(_CLIENTS)
        await self.all_joined()
        for _ in range(self._publisher_count):
            door = self._doors[self._hired % len(self._doors)]
            self._publishers.append(Publisher(f"p{self._hired}", door, self.history, self._published.set))
            self._hired += 1
        await self.published(50)

    async def churn(self) -> None:
        """Replace half of the clients."""
        going, self.clients = self.clients[::2], self.clients[1::2]
        self._gone |= {client.name for client in going if client.is_joined}
        self._add_clients(len(going))
        await asyncio.gather(*(client.leave() for client in going))

    async def published(self, count: int) -> None:
        """Wait until so many more events were published."""
        target = len(self.history.publishes) + count
        async with asyncio.timeout(40):
            while len(self.history.publishes) < target:
                self._published.clear()
                await self._published.wait()

    async def all_joined(self) -> None:
        """Wait until every client is on all channels."""
        await asyncio.gather(*(client.joined() for client in self.clients))

    @contextlib.asynccontextmanager
    async def outage(
        self, process: Process | None = None, *, events_of: Collection[str] | None = None
    ) -> AsyncIterator[None]:
        """Let a process, or all, be off the bus until the end of the block; soon after it everybody knows the truth.

        Args:
            events_of: the channels whose events may be lost meanwhile, where it is not all of them.
        """
        began = time.monotonic()
        try:
            yield
            await self.converged()
        finally:
            name = None if process is None else process.name
            self.history.outages.append(Outage(name, began, time.monotonic(), events_of))

    def killed(self, process: Process) -> None:
        """Note that a process was killed now: what it had accepted may not have got to the bus."""
        process.whole_until = time.monotonic()
        self.history.outages.append(Outage(process.name, process.whole_until, process.whole_until))

    async def converged(self) -> None:
        """Check that soon every process tells the truth, and every client knows the members of its room."""
        deadline = time.monotonic() + self._within
        await self.all_joined()
        while problems := await self._untruths():
            assert time.monotonic() < deadline, "\n".join(problems)
            await asyncio.sleep(0.05)

    async def check(self) -> None:
        """End the load; check the truth once more, and the whole history."""
        await self.published(50)
        await self.stop_publishers()
        await self.converged()
        problems = self.history.problems()
        # What was accepted last may still be on its way.
        deadline = time.monotonic() + 3
        while problems and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
            problems = self.history.problems()
        assert not problems, f"{len(problems)} problems\n" + "\n".join(problems[:20])
        self._check_that_much_happened()
        await self.leave()
        for door in self._doors:
            # Whatever happens, it was foreseen.
            assert "Traceback" not in (log := "".join(door.log())), log

    async def leave(self) -> None:
        """Let everybody leave; check that soon no process knows of any channel."""
        await self.stop_publishers()
        await self.all_joined()
        await asyncio.gather(*(client.leave() for client in self.clients))
        self.clients.clear()
        await self.converged()

    async def aclose(self) -> None:
        """End clients and publishers."""
        await self.stop_publishers()
        await asyncio.gather(*(client.leave() for client in self.clients))

    async def stop_publishers(self) -> None:
        """Let publishers finish what they are at, and hire no others."""
        await asyncio.gather(*(publisher.stop() for publisher in self._publishers))
        self._publishers.clear()

    def _add_clients(self, count: int) -> None:
        for _ in range(count):
            self._born += 1
            self.clients.append(Client(f"user{self._born}", self._doors, self._born, self.history))

    def _check_that_much_happened(self) -> None:
        """Check that the history is not a quiet one, which would keep every rule."""
        sessions = self.history.sessions
        assert sum(len(session.seen) for session in sessions) > len(self.history.publishes)
        assert self._gone, "half of the clients are replaced in every scenario"
        gone = {told.user_id for session in sessions for told in session.told if not told.is_there}
        assert gone >= self._gone, f"nobody was told that {sorted(self._gone - gone)} are gone"

    async def _untruths(self) -> list[str]:
        truth = {client.name for client in self.clients}
        problems: list[str] = []
        for door in self._doors:
            try:
                async with asyncio.timeout(_ANSWER_WITHIN), door.connections() as connections:
                    for process, connection in connections:
                        problems += await self._untruths_of(process.name, connection, truth)
            except LOST as error:
                problems.append(f"port {door.port}: {error!r}")
        for client in self.clients:
            if not client.is_joined or client.session is None:
                problems.append(f"{client.name} is not on all channels")
            else:
                problems += differences(client.name, "roster", client.session.members(ROOM), truth)
        return problems

    async def _untruths_of(self, node: str, connection: HttpConnection, truth: set[str]) -> list[str]:
        async def told(path: str, **params: str) -> dict[str, Any]:
            answer = await connection.request("GET", api.target("GET", path, params=params))
            document: dict[str, Any] = answer.json()
            return document

        api = ApiClient(0, APP_ID)
        ready = await connection.request("GET", "/up")
        problems = differences(node, "readiness", ready.status, 200)
        users = (await told(f"/channels/{ROOM}/users"))["users"]
        problems += differences(node, "roster", [user["id"] for user in users], truth)
        for channel in (*CHANNELS, ROOM):
            one = await told(f"/channels/{channel}", info="subscription_count")
            problems += differences(node, channel, one.get("subscription_count", 0), len(truth))
        occupied = {*CHANNELS, ROOM} if truth else set()
        return problems + differences(node, "channels", list((await told("/channels"))["channels"]), occupied)


class Cluster(Fleet):
    """Nodes on a bus."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        super().__init__(nodes, NODE_TIMEOUT, len(nodes))
        self.nodes = nodes

    async def terminate(self, node: Node) -> None:
        """End a node in order; check that it sends every client elsewhere."""
        moved = [(one, one.session) for one in self.clients if one.session and one.session.node == node.name]
        node.send(signal.SIGTERM)
        assert await node.ended() == 0
        assert moved
        for client, session in moved:
            await client.left(session)
            assert session.close_code == 4200

    @contextlib.asynccontextmanager
    async def parted(self, node: Node, kind: str) -> AsyncIterator[None]:
        """Let a node be off the bus: its connections are `cut`, `stall` until they go on, or end in a `black hole`."""
        async with self.outage(node.process):
            if kind == "cut":
                node.proxy.cut()
            else:
                node.proxy.stall()
            yield
            if kind == "black hole":
                node.proxy.forget()
            else:
                node.proxy.heal()


@contextlib.asynccontextmanager
async def running_cluster(folder: Path, bus: Bus, nodes: int = 3) -> AsyncIterator[Cluster]:
    """Run nodes with a load on them, each behind a proxy of its own before the broker."""
    started = [Node(name, folder, bus) for name in "abcdef"[:nodes]]
    async with contextlib.AsyncExitStack() as stack:
        for node in started:
            # As in a network, and long enough that something is always on its way.
            node.proxy.delay = _DELAY
            stack.push_async_callback(node.aclose)
        await asyncio.gather(*(node.start() for node in started))
        cluster = Cluster(started)
        stack.push_async_callback(cluster.aclose)
        await cluster.come()
        yield cluster
