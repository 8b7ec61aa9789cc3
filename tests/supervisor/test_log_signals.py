"""SIGUSR1 and SIGUSR2: more of the log of a server that runs, of all its workers."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.clients.client import http
from tests.servers.workers import workers_process

SWITCHED_ON, SWITCHED_OFF = "debug lines switched on", "debug lines switched off"


@pytest.mark.parametrize("workers", [1, 2])
async def test_debug_lines_are_switched_on_and_off_in_every_process(tmp_path: Path, workers: int) -> None:
    # The supervisor says it too.
    processes = 1 if workers == 1 else workers + 1
    async with workers_process(tmp_path, "--workers", str(workers)) as server:
        await server.greeted()
        await http(server.port, "GET", "/nowhere")
        server.send(signal.SIGUSR2)
        await server.logged(SWITCHED_ON, processes)
        assert not server.events("request refused")
        await http(server.port, "GET", "/nowhere")
        await server.logged("request refused")
        server.send(signal.SIGUSR2)
        await server.logged(SWITCHED_OFF, processes)
        await http(server.port, "GET", "/nowhere")
        server.send(signal.SIGTERM)
        assert await server.ended() == 0
        assert len(server.events("request refused")) == 1


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_diagnosis_is_written_by_every_process_with_clients(tmp_path: Path, workers: int) -> None:
    async with workers_process(tmp_path, "--workers", str(workers)) as server:
        await server.greeted()
        server.send(signal.SIGUSR1)
        told = await server.logged("diagnosis: other nodes", workers)
        assert len({one.get("worker") for one in told}) == workers
        pids = {one["pid"] for one in server.events("diagnosis: process")}
        assert pids == (set(server.pids) if workers > 1 else {server.process.pid})


async def test_workers_leave_these_signals_to_their_supervisor_and_follow_it(tmp_path: Path) -> None:
    async with workers_process(tmp_path, "--workers", "2") as server:
        await server.greeted()
        first, second = server.pids
        os.kill(first, signal.SIGUSR2)
        server.send(signal.SIGUSR2)
        await server.logged(SWITCHED_ON, 3)
        os.kill(second, signal.SIGKILL)
        # The worker that takes its place shows debug lines from the start.
        await server.logged(SWITCHED_ON, 4)
        assert not server.events(SWITCHED_OFF)
