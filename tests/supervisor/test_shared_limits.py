"""Rate limits of `sockudo serve --workers N`: the machine has one limit, whichever worker is asked, and dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import Any

from tests.clients.client import Answer, ApiClient, PusherClient, http
from tests.servers.server import app
from tests.servers.workers import WorkersProcess, workers_process


def limiter(requests: int, connections: int = 1000) -> dict[str, Any]:
    return {
        "enabled": True,
        "api_rate_limit": {"max_requests": requests, "window_seconds": 3600},
        "websocket_rate_limit": {"max_requests": connections, "window_seconds": 3600},
    }


async def race(server: WorkersProcess, clients: int, each: int) -> int:
    """Ask from many clients at once, each on connections of its own; return how many answers were not 429."""

    async def client() -> int:
        answers = [await http(server.port, "GET", "/nowhere") for _ in range(each)]
        return sum(answer.status == 404 for answer in answers)

    return sum(await asyncio.gather(*(client() for _ in range(clients))))


async def test_clients_that_race_get_exactly_the_limit_of_the_machine(tmp_path: Path) -> None:
    async with workers_process(tmp_path, "--workers", "3", rate_limiter=limiter(200)) as server:
        await server.greeted()
        assert await race(server, 16, 25) == 200


async def test_connections_are_counted_by_all_workers_together(tmp_path: Path) -> None:
    async with workers_process(tmp_path, "--workers", "3", rate_limiter=limiter(1000, 10)) as server:
        await server.greeted()
        async with contextlib.AsyncExitStack() as stack:
            opened = 0
            for _ in range(20):
                with contextlib.suppress(Exception):
                    await stack.enter_async_context(PusherClient(server.port))
                    opened += 1
            assert opened == 10


async def test_a_worker_that_is_killed_or_replaced_opens_nothing(tmp_path: Path) -> None:
    async with workers_process(tmp_path, "--workers", "2", rate_limiter=limiter(60)) as server:
        await server.greeted()
        admitted = await race(server, 4, 5)
        assert admitted == 20
        os.kill(server.pids[0], signal.SIGKILL)
        await server.logged("worker ready", 3)
        admitted += await race(server, 4, 5)
        assert admitted == 40
        server.send(signal.SIGHUP)
        await server.logged("workers: all replaced")
        admitted += await race(server, 8, 5)
        assert admitted == 60


async def test_workers_hold_an_app_to_exactly_its_quotas(tmp_path: Path) -> None:
    limited = app(max_backend_events_per_second=7, max_read_requests_per_second=5)
    array = {"array": {"apps": [limited]}}
    async with workers_process(tmp_path, "--workers", "3", app_manager=array) as server:
        await server.greeted()
        api, loop = ApiClient(server.port), asyncio.get_running_loop()
        event = {"name": "e", "channel": "a", "data": "x"}

        async def publish() -> tuple[float, float, Answer]:
            began = loop.time()
            answer = await api.post("/events", event)
            return began, loop.time(), answer

        done = await asyncio.gather(*(publish() for _ in range(60)))
        passed = sorted((began, ended) for began, ended, answer in done if answer.status == 200)
        assert {answer.status for _, _, answer in done} == {200, 429}
        # An eighth one passes only when the first of the seven before it is a second old.
        for (first, _), (_, later) in zip(passed, passed[7:], strict=False):
            assert later - first >= 1
