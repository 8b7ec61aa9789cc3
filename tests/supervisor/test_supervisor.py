"""`sockudo serve --workers 2` as it really is: processes, signals and one port that is always there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.clients.client import ApiClient, PusherClient, http
from tests.servers.server import app
from tests.servers.webhook_receiver import webhook_receiver
from tests.servers.workers import SOURCES, WorkersProcess, is_alive, open_sockets, process_name, workers_process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture(params=["balanced", "shared"])
def sockets(request: pytest.FixtureRequest) -> str:
    """Each way in which workers share a port."""
    way: str = request.param
    return way


@dataclass
class Load:
    """Clients that connect, ask and go, over and over."""

    port: int
    is_over: bool = False
    answered: int = 0
    problems: list[str] = field(default_factory=list)

    async def ask(self) -> None:
        """Ask once over a connection of its own."""
        try:
            answer = await asyncio.wait_for(http(self.port, "GET", "/up"), 20)
        except (OSError, TimeoutError, IndexError) as problem:
            self.problems.append(repr(problem))
        else:
            self.answered += 1
            if answer.status != 200:
                self.problems.append(f"status {answer.status}")

    async def keep_asking(self) -> None:
        """Ask over one connection until its answer says that it is the last, and then over another."""
        while not self.is_over:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                head = b""
                while b"Connection: close" not in head and not self.is_over:
                    writer.write(b"GET /up HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
                    await reader.readexactly(2)
                    self.answered += 1
            except (OSError, TimeoutError, asyncio.IncompleteReadError) as problem:
                self.problems.append(f"kept open: {problem!r}")
            finally:
                writer.close()

    async def keep_connecting(self) -> None:
        """Open WebSockets; each is greeted, whatever happens to it later."""
        while not self.is_over:
            try:
                async with PusherClient(self.port):
                    self.answered += 1
            except Exception as problem:
                self.problems.append(f"websocket: {problem!r}")

    async def repeat(self) -> None:
        while not self.is_over:
            await self.ask()


@contextlib.asynccontextmanager
async def load(port: int, *, clients: int = 4, more: bool = False) -> AsyncIterator[Load]:
    """Run clients meanwhile."""
    made = Load(port)
    loops = [made.repeat() for _ in range(clients)]
    if more:
        loops += [made.keep_asking(), made.keep_asking(), made.keep_connecting(), made.keep_connecting()]
    tasks = [asyncio.create_task(loop) for loop in loops]
    try:
        yield made
    finally:
        # Each ends by itself: what is cancelled may be in the middle of anything.
        made.is_over = True
        await asyncio.gather(*tasks)


async def served(server: WorkersProcess) -> None:
    """Check that the port answers."""
    assert (await http(server.port, "GET", "/up")).status == 200


async def test_both_workers_get_connections_on_the_one_port(tmp_path: Path, sockets: str) -> None:
    async with workers_process(tmp_path, workers=2, worker_sockets=sockets) as server:
        await server.greeted()
        before = [open_sockets(pid) for pid in server.pids]
        counts = [0, 0]
        async with contextlib.AsyncExitStack() as stack:
            # With one queue for all, whoever wakes first takes all that is there, so it may take some rounds.
            while min(counts) == 0 and sum(counts) < 1000:
                await asyncio.gather(*(stack.enter_async_context(PusherClient(server.port)) for _ in range(40)))
                counts = [open_sockets(pid) - was for pid, was in zip(server.pids, before, strict=True)]
        assert min(counts) > (5 if sockets == "balanced" else 0)


async def test_the_banner_is_printed_once_and_lines_name_their_worker(tmp_path: Path) -> None:
    async with workers_process(tmp_path, "--workers", "3") as server:
        await server.greeted()
        assert len(server.pids) == 3
        server.send(signal.SIGTERM)
        assert await server.ended() == 0
        assert sum("is ready" in line for line in server.lines) == 1
        assert sorted(event["worker"] for event in server.events("server shutting down")) == [0, 1, 2]


async def test_processes_are_named_by_their_worker(tmp_path: Path) -> None:
    async with workers_process(tmp_path, workers=2) as server:
        await server.greeted()
        assert [process_name(pid) for pid in server.pids] == ["sockudo:0", "sockudo:1"]


async def test_a_killed_worker_is_replaced_and_the_port_never_refuses(tmp_path: Path, sockets: str) -> None:
    async with workers_process(tmp_path, workers=2, worker_sockets=sockets) as server:
        await server.greeted()
        async with load(server.port) as clients:
            os.kill(server.pids[0], signal.SIGKILL)
            ready = await server.logged("worker ready", 3)
            reached = clients.answered + 200
            while clients.answered < reached and len(clients.problems) < 5:
                await clients.ask()
        (died,) = server.events("worker died")
        assert (died["worker"], died["reason"]) == (0, "killed by signal 9")
        assert ready[-1]["worker"] == 0
        # Only what the killed process had accepted is lost: at most one for each client.
        assert len(clients.problems) <= 4
        assert not any("refused" in problem.lower() for problem in clients.problems)


async def test_workers_are_replaced_without_refusing_or_resetting_anybody(tmp_path: Path, sockets: str) -> None:
    async with workers_process(tmp_path, workers=2, worker_sockets=sockets, shutdown_grace_period=2) as server:
        await server.greeted()
        async with load(server.port, more=True) as clients:
            server.send(signal.SIGHUP)
            await server.logged("workers: all replaced")
        assert clients.problems == []
        assert clients.answered > 100
        assert [event["reason"] for event in server.events("server shutting down")] == ["replaced", "replaced"]
        assert not any(is_alive(pid) for pid in server.pids)
        await served(server)


async def test_clients_of_a_replaced_worker_are_sent_elsewhere(tmp_path: Path) -> None:
    async with workers_process(tmp_path, workers=2, shutdown_grace_period=3) as server:
        await server.greeted()
        async with contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(PusherClient(server.port)) for _ in range(10)]
            server.send(signal.SIGHUP)
            for client in clients:
                assert (await asyncio.wait_for(client.expect("pusher:error"), 20))["data"]["code"] == 4200
                assert (await client.expect_close())[0] == 4200
            await server.logged("workers: all replaced")


async def test_a_replacement_reads_the_configuration_again(tmp_path: Path) -> None:
    async with workers_process(tmp_path, workers=2, shutdown_grace_period=1) as server:
        await server.greeted()
        config = tmp_path / "config.json"
        config.write_text(config.read_text().replace("app-key", "other-key"))
        server.send(signal.SIGHUP)
        await server.logged("workers: all replaced")
        answer = await ApiClient(server.port, key="other-key").get("/channels")
        assert answer.status == 200


async def test_a_replacement_that_cannot_start_leaves_the_others_alone(tmp_path: Path) -> None:
    async with workers_process(tmp_path, workers=2) as server:
        await server.greeted()
        (tmp_path / "config.json").write_text('{"port": "x"}')
        server.send(signal.SIGHUP)
        (problem,) = await server.logged("worker not replaced: the new one cannot start")
        assert problem["reason"] == "the configuration cannot be used any more"
        assert all(is_alive(pid) for pid in server.pids)
        await served(server)


async def test_sigterm_sends_clients_away_and_ends_with_0(tmp_path: Path) -> None:
    async with workers_process(tmp_path, workers=2) as server:
        await server.greeted()
        async with PusherClient(server.port) as client:
            server.send(signal.SIGTERM)
            assert (await client.expect("pusher:error"))["data"]["code"] == 4200
        assert await server.ended() == 0
        assert not any(is_alive(pid) for pid in server.pids)


async def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    async with workers_process(tmp_path, workers=2, shutdown_grace_period=600) as server:
        await server.greeted()
        async with contextlib.AsyncExitStack() as stack:
            # More than go in the first step, so that the server is busy sending them away.
            for _ in range(150):
                await stack.enter_async_context(PusherClient(server.port))
            server.send(signal.SIGINT)
            await server.logged("server shutting down", 2)
            server.send(signal.SIGINT)
            assert await asyncio.wait_for(server.ended(), 10) == 0


async def test_a_hanging_worker_does_not_keep_the_server_alive(tmp_path: Path) -> None:
    async with workers_process(tmp_path, workers=2, shutdown_grace_period=0) as server:
        await server.greeted()
        os.kill(server.pids[1], signal.SIGSTOP)
        server.send(signal.SIGTERM)
        assert await server.ended() == 0
        (killed,) = server.events("worker killed: it did not end in time")
        assert killed["worker"] == 1


async def test_workers_leave_when_their_supervisor_dies(tmp_path: Path) -> None:
    async with workers_process(tmp_path, workers=2) as server:
        await server.greeted()
        server.send(signal.SIGKILL)
        # Their end of the output is what this waits for.
        assert await server.ended() == -signal.SIGKILL
        assert [event["reason"] for event in server.events("server shutting down")] == ["the supervisor is gone"] * 2


async def test_every_process_of_a_service_may_be_told_to_stop(tmp_path: Path) -> None:
    async with workers_process(tmp_path, workers=2, shutdown_grace_period=5) as server:
        await server.greeted()
        async with PusherClient(server.port) as client:
            for pid in (*server.pids, server.process.pid):
                os.kill(pid, signal.SIGTERM)
            # It is not taken for a second signal: the client is told.
            assert (await client.expect("pusher:error"))["data"]["code"] == 4200
        assert await server.ended() == 0


async def test_a_hang_up_is_for_the_supervisor_only(tmp_path: Path) -> None:
    async with workers_process(tmp_path, workers=2) as server:
        await server.greeted()
        os.kill(server.pids[0], signal.SIGHUP)
        await served(server)
        assert is_alive(server.pids[0])


async def test_workers_that_never_start_end_the_server_with_2(tmp_path: Path) -> None:
    # Every worker fails before it runs anything of the server.
    (tmp_path / "sitecustomize.py").write_text('import os\nif "_SOCKUDO_WORKER" in os.environ: os._exit(9)\n')
    path = os.pathsep.join([str(tmp_path), SOURCES])
    async with workers_process(tmp_path, workers=2, environ={"PYTHONPATH": path}) as server:
        assert await server.ended() == 2
        assert server.lines[-1] == "The server cannot start: ended with status 9\n"


async def test_a_port_that_is_taken_is_said_once(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    async with workers_process(first, workers=2) as server:
        await server.greeted()
        async with workers_process(second, workers=2, port=server.port) as other:
            assert await other.ended() == 2
            (line,) = other.lines
            assert "cannot listen on 127.0.0.1" in line
            assert "in use" in line


async def test_one_worker_needs_no_supervisor(tmp_path: Path) -> None:
    async with workers_process(tmp_path, "--workers", "1") as server:
        await server.greeted()
        assert not any("processes" in line for line in server.lines)
        await served(server)


async def test_all_workers_leave_with_every_webhook_sent_once(tmp_path: Path) -> None:
    async with webhook_receiver() as receiver:
        types = ["channel_occupied", "channel_vacated", "member_added", "member_removed"]
        apps = [app(webhooks=[{"url": receiver.url, "event_types": types}])]
        changes: dict[str, Any] = {"webhooks": {"hold_ms": 500}, "app_manager": {"array": {"apps": apps}}}
        async with workers_process(tmp_path, workers=2, **changes) as server:
            await server.greeted()
            async with contextlib.AsyncExitStack() as stack:
                for number in range(8):
                    client = await stack.enter_async_context(PusherClient(server.port))
                    await client.subscribe("presence-room", {"user_id": str(number)})
                    await client.subscribe(f"own-{number}")
                await receiver.until(lambda: len(receiver.events) >= 17)
                server.send(signal.SIGTERM)
                assert await server.ended() == 0
    names = receiver.names()
    assert len(names) == len(set(names)) == 34, sorted(names)
