"""Faults of the machine: the server serves those it has, refuses the rest, and recovers by itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.clients.client import ApiClient, PusherClient
from tests.faults.buses import Bus
from tests.faults.fleet import LONGER_THAN_THE_TIMEOUT, Cluster
from tests.faults.output import Served, serving_into
from tests.servers.missing import missing
from tests.servers.redis_server import RedisProcess

_HOUR: Final = 3600
_DISK: Final = 64 * 1024
_PROCESSES: Final = [pytest.param({}, id="one process"), pytest.param({"workers": 2}, id="workers")]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for a few lines."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mounting, capture_output=True, text=True, timeout=30)
    except OSError as problem:
        missing(f"no disk can be made here: {problem}")
    if done.returncode:
        pytest.skip(f"only root may mount a disk: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True, timeout=30)


async def events_arrive(server: Served, client: PusherClient) -> None:
    """Check that the server serves the clients that it has, and new ones."""
    await ApiClient(server.port).trigger("news", "old")
    assert (await client.expect("event"))["data"] == "old"
    async with PusherClient(server.port) as newcomer:
        await newcomer.subscribe("news")
        await ApiClient(server.port).trigger("news", "new")
        assert (await client.expect("event"))["data"] == (await newcomer.expect("event"))["data"] == "new"


@pytest.mark.parametrize("changes", _PROCESSES)
async def test_a_full_disk_for_the_log_costs_lines_only(
    small_disk: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    log, ballast = small_disk / "log", small_disk / "ballast"
    with log.open("ab") as output:
        # With debugging every refusal is a line.
        serving = serving_into(tmp_path, output, debug=True, **changes)
        async with serving as server, PusherClient(server.port) as client:
            await client.subscribe("news")
            fill(ballast)
            assert os.statvfs(small_disk).f_bavail == 0
            await server.refusals(60)
            await events_arrive(server, client)
            assert "log lines lost" not in log.read_text()
            ballast.unlink()
            await until_told_of_losses(server, log)
            await events_arrive(server, client)
            assert await server.ended() == 0


def fill(ballast: Path) -> None:
    """Write until the disk is full."""
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 64)


async def until_told_of_losses(server: Served, log: Path) -> None:
    """Wait until the log tells how many lines were lost, and why."""

    def told() -> bool:
        return any("log lines lost" in line and "No space left" in line for line in log.read_text().splitlines())

    async with asyncio.timeout(60):
        while not told():
            await server.refusals(1)
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("changes", _PROCESSES)
async def test_a_broken_pipe_on_stdout_costs_lines_only(tmp_path: Path, changes: dict[str, Any]) -> None:
    reading, writing = os.pipe()
    try:
        async with serving_into(tmp_path, writing, **changes) as server, PusherClient(server.port) as client:
            os.close(writing)
            writing = -1
            await client.subscribe("news")
            os.close(reading)
            reading = -1
            await server.refusals(20)
            await events_arrive(server, client)
            assert await server.ended() == 0
    finally:
        for descriptor in (reading, writing):
            if descriptor >= 0:
                os.close(descriptor)


def faketime_library() -> str:
    """Return the path of the library that tells a process another time."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    return str(found[0]) if found else missing("faketime is not installed: apt-get install faketime")


class WallClock:
    """The wall clock of a server, which may be set while it runs. Its monotonic clock is that of the machine."""

    def __init__(self, folder: Path) -> None:
        self._control = folder / "clock"
        self.set(0)
        self.environ = {
            "LD_PRELOAD": faketime_library(),
            "FAKETIME_TIMESTAMP_FILE": str(self._control),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, offset: int) -> None:
        """Let it differ from the true time by so many seconds."""
        new = self._control.with_suffix(".new")
        new.write_text(f"{offset:+d}\n")
        new.replace(self._control)


@pytest.mark.parametrize("changes", _PROCESSES)
@pytest.mark.parametrize("offset", [_HOUR, -_HOUR], ids=["forth", "back"])
async def test_a_clock_that_is_set_an_hour_costs_no_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], offset: int
) -> None:
    clock, log = WallClock(tmp_path), tmp_path / "log"
    with log.open("ab") as output:
        async with serving_into(tmp_path, output, clock.environ, **changes) as server:
            async with PusherClient(server.port) as client:
                await client.subscribe("news")
                await events_arrive(server, client)
                clock.set(offset)
                # A request that was signed with the other time is stale, and says so.
                stale = await ApiClient(server.port).get("/channels")
                assert "600" in stale.error(401)
                true_time = time.time
                monkeypatch.setattr("time.time", lambda: true_time() + offset)
                await events_arrive(server, client)
                await client.expect_nothing()
                clock.set(0)
                monkeypatch.undo()
                await events_arrive(server, client)
                await client.expect_nothing()
            assert await server.ended() == 0
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("bus", ["redis"], indirect=True)
async def test_a_suspended_machine_loses_nobody(cluster: Cluster, bus: Bus) -> None:
    """All servers stop and go on together, as the processes of a machine do; clients are elsewhere."""
    sessions = [client.session for client in cluster.clients]
    assert isinstance(bus.broker, RedisProcess)
    async with cluster.outage():
        for node in cluster.nodes:
            node.send(signal.SIGSTOP)
        bus.broker.pause()
        await asyncio.sleep(2 * LONGER_THAN_THE_TIMEOUT)
        bus.broker.resume()
        for node in cluster.nodes:
            node.send(signal.SIGCONT)
    assert [client.session for client in cluster.clients] == sessions
    await cluster.churn()
    await cluster.check()
