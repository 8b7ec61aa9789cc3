"""Three server processes on one bus, clients and publishers on them, and the questions that end every scenario."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from tests.faults import node_process
from tests.faults.checker import History, Outage, differences
from tests.faults.load import CHANNELS, ROOM, Client, Publisher
from tests.faults.proxy import Proxy
from tests.support.client import ApiClient, http
from tests.support.server import app, clean_environ

CLIENTS = 12
CONVERGED_WITHIN = node_process.TIMES.node_timeout + 2
_LISTENING = b"http://127.0.0.1:"


class NodeProcess:
    """One node. `whole_until` is when a fault befell it, if one did."""

    def __init__(self, name: str, folder: Path, proxy: Proxy) -> None:
        self.name = name
        self.proxy = proxy
        self.port = 0
        self.whole_until: float | None = None
        self.process: asyncio.subprocess.Process
        self.log: list[bytes] = []
        self._config = folder / f"{name}.json"
        self._reading: asyncio.Task[None]

    async def start(self, driver: str) -> None:
        """Start it; it is ready then."""
        document = {"host": "127.0.0.1", "port": self.port, "app_manager": {"array": {"apps": [app()]}}}
        self._config.write_text(json.dumps(document | {"bus": [driver, f"{driver}://127.0.0.1:{self.proxy.port}"]}))
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, node_process.__file__, str(self._config)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=clean_environ(),
        )
        assert self.process.stdout is not None
        async with asyncio.timeout(15):
            while not (line := await self.process.stdout.readline()).startswith(_LISTENING):
                assert line, b"".join(self.log).decode()
                self.log.append(line)
        self.port = int(line.removeprefix(_LISTENING))
        self.whole_until = None
        self._reading = asyncio.create_task(self._read())

    def send(self, number: signal.Signals) -> None:
        """Send a signal; one that ends or stops the node befalls it now."""
        if number is not signal.SIGCONT:
            self.whole_until = time.monotonic()
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end and return the exit status."""
        async with asyncio.timeout(15):
            await self._reading
            return await self.process.wait()

    async def aclose(self) -> None:
        """End it whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.ended()
        await self.proxy.aclose()

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.log.append(line)


class Fleet:
    """Nodes, clients, publishers, and the history of it all."""

    def __init__(self, nodes: Sequence[NodeProcess]) -> None:
        self.nodes = list(nodes)
        self.history = History()
        self.clients: list[Client] = []
        self._publishers: list[Publisher] = []
        self._born = 0
        self._published = asyncio.Event()

    def add_clients(self, count: int) -> list[Client]:
        """Let so many clients come, spread over the nodes."""
        new = []
        for _ in range(count):
            self._born += 1
            new.append(Client(f"user{self._born}", self.nodes, self._born, self.history))
        self.clients += new
        return new

    async def start_load(self) -> None:
        """Let clients come, and publish through every node."""
        self.add_clients(CLIENTS)
        await self.all_joined()
        for node in self.nodes:
            self._publishers.append(Publisher(f"p-{node.name}", node, self.history, self._published.set))
        await self.published(50)

    async def churn(self) -> None:
        """Replace half of the clients."""
        going, self.clients = self.clients[::2], self.clients[1::2]
        self.add_clients(len(going))
        await asyncio.gather(*(client.leave() for client in going))

    async def published(self, count: int) -> None:
        """Wait until so many more events were published."""
        target = len(self.history.publishes) + count
        async with asyncio.timeout(15):
            while len(self.history.publishes) < target:
                self._published.clear()
                await self._published.wait()

    async def all_joined(self) -> None:
        """Wait until every client is on all channels."""
        await asyncio.gather(*(client.joined() for client in self.clients))

    @contextlib.asynccontextmanager
    async def outage(self, node: NodeProcess | None = None) -> AsyncIterator[None]:
        """Let a node, or all, be off the bus; ends when every node knows the truth again, soon after the block."""
        began = time.monotonic()
        try:
            yield
            await self.converged()
        finally:
            self.history.outages.append(Outage(None if node is None else node.name, began, time.monotonic()))

    async def converged(self, within: float = CONVERGED_WITHIN) -> None:
        """Check that soon every node tells the truth, and every client knows the members of its room."""
        deadline = time.monotonic() + within
        await self.all_joined()
        while problems := await self._untruths():
            assert time.monotonic() < deadline, "\n".join(problems)
            await asyncio.sleep(0.05)

    async def check(self) -> None:
        """End the load; check the truth once more, and the whole history."""
        await self.published(50)
        await asyncio.gather(*(publisher.stop() for publisher in self._publishers))
        self._publishers.clear()
        await self.converged()
        problems = self.history.problems()
        # What was accepted last may still be on its way.
        deadline = time.monotonic() + 3
        while problems and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
            problems = self.history.problems()
        assert not problems, f"{len(problems)} problems\n" + "\n".join(problems[:20])
        assert sum(len(session.seen) for session in self.history.sessions) > len(self.history.publishes)

    async def aclose(self) -> None:
        """End clients, publishers and nodes."""
        await asyncio.gather(*(publisher.stop() for publisher in self._publishers))
        await asyncio.gather(*(client.leave() for client in self.clients))
        await asyncio.gather(*(node.aclose() for node in self.nodes))

    async def _untruths(self) -> list[str]:
        truth = {client.name for client in self.clients}
        problems: list[str] = []
        for node in self.nodes:
            if node.process.returncode is None:
                problems += await self._untruths_of(node, truth)
        for client in self.clients:
            if not client.is_joined or client.session is None:
                problems.append(f"{client.name} is not on all channels")
            else:
                problems += differences(client.name, "roster", client.session.members(ROOM), truth)
        return problems

    async def _untruths_of(self, node: NodeProcess, truth: set[str]) -> list[str]:
        api = ApiClient(node.port)
        try:
            ready = await http(node.port, "GET", "/up")
            users = (await api.get(f"/channels/{ROOM}/users")).json()["users"]
            problems = differences(node.name, "readiness", ready.status, 200)
            problems += differences(node.name, "roster", [user["id"] for user in users], truth)
            for channel in (*CHANNELS, ROOM):
                answer = (await api.get(f"/channels/{channel}", info="subscription_count")).json()
                problems += differences(node.name, channel, answer.get("subscription_count", 0), len(truth))
            problems += differences(node.name, "channels", list(await api.channels()), {*CHANNELS, ROOM})
        except (OSError, TimeoutError) as error:
            return [f"{node.name}: {error!r}"]
        return problems


@contextlib.asynccontextmanager
async def running_fleet(folder: Path, driver: str, broker_port: int, nodes: int = 3) -> AsyncIterator[Fleet]:
    """Run nodes with a load on them, each behind a proxy of its own before the broker."""
    started = [NodeProcess(name, folder, Proxy(broker_port)) for name in "abcdef"[:nodes]]
    for node in started:
        await node.proxy.start()
    await asyncio.gather(*(node.start(driver) for node in started))
    fleet = Fleet(started)
    try:
        await fleet.start_load()
        yield fleet
    finally:
        await fleet.aclose()
