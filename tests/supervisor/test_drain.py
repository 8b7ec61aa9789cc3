"""How workers leave: probes announce it first, on every worker."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

from tests.clients.client import PusherClient, http
from tests.servers.workers import WorkersProcess, workers_process


async def _all_draining(server: WorkersProcess) -> None:
    """Wait until many connections in a row, which meet every worker, are told of the end."""
    in_a_row = 0
    async with asyncio.timeout(20):
        while in_a_row < 20:
            answer = await http(server.port, "GET", "/ready")
            in_a_row = in_a_row + 1 if answer.body == b"DRAINING: the server shuts down" else 0
            await asyncio.sleep(0.01)


async def test_every_worker_serves_on_while_its_probes_announce_the_end(tmp_path: Path) -> None:
    async with workers_process(tmp_path, "--workers", "2", readiness_delay=60) as server:
        await server.greeted()
        async with PusherClient(server.port) as early:
            server.send(signal.SIGTERM)
            await _all_draining(server)
            async with PusherClient(server.port) as late:
                for client in (early, late):
                    await client.subscribe("news")
            # The second signal ends the wait of every worker.
            server.send(signal.SIGTERM)
            assert await server.ended() == 0


async def test_workers_may_take_the_delay_and_the_grace_period(tmp_path: Path) -> None:
    async with workers_process(tmp_path, "--workers", "2", readiness_delay=5, shutdown_grace_period=1) as server:
        await server.greeted()
        async with PusherClient(server.port) as client:
            began = time.monotonic()
            server.send(signal.SIGTERM)
            assert await client.expect_end() == (4200, "Server shutting down")
            assert time.monotonic() - began >= 5
        assert await server.ended() == 0
        assert not server.events("worker killed: it did not end in time")
