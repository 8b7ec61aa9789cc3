"""One scrape for all workers of a supervisor, whatever happens to them; with the real command."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.clients.client import ApiClient, PusherClient
from tests.servers.ports import free_port
from tests.servers.server import APP_ID
from tests.servers.workers import WorkersProcess, workers_process
from tests.support.scrapes import Scrape, scrape
from tests.support.waiting import eventually

CLIENTS = 12


@contextlib.asynccontextmanager
async def workers(folder: Path) -> AsyncIterator[tuple[WorkersProcess, int]]:
    """Two workers, and the port where their metrics are."""
    port = free_port()
    metrics = {"enabled": True, "host": "127.0.0.1", "port": port}
    async with workers_process(folder, "--workers", "2", metrics=metrics) as server:
        await server.greeted()
        yield server, port


async def scraped(port: int) -> Scrape:
    """Scrape, also while another worker takes over the port."""
    while True:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, IndexError):
            return await scrape(port)
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def crowd(port: int) -> AsyncIterator[list[PusherClient]]:
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(PusherClient(port)) for _ in range(CLIENTS)]
        for client in clients:
            await client.subscribe("news")
        yield clients


async def test_one_scrape_sums_workers_and_counts_shared_channels_once(tmp_path: Path) -> None:
    async with workers(tmp_path) as (server, port), crowd(server.port) as clients:
        assert (await ApiClient(server.port).trigger("news", "x")).status == 200
        for client in clients:
            await client.expect("event")

        async def sums() -> list[float]:
            one = await scraped(port)
            names = ("connected", "new_connections_total", "channel_subscriptions_total", "active_channels")
            return [one.value("sockudo_workers"), *(one.value(f"sockudo_{name}", app_id=APP_ID) for name in names)]

        await eventually(sums, [2, CLIENTS, CLIENTS, CLIENTS, 1])
        one = await scraped(port)
        assert one.value("sockudo_http_calls_received_total", app_id=APP_ID) == 1
        assert one.value("sockudo_bus_messages_total", kind="event", direction="sent") == 1
        assert one.value("sockudo_bus_messages_total", kind="event", direction="received") == 1
        assert one.value("sockudo_bus_connected") == one.value("sockudo_cluster_nodes") == 2
        assert one.value("sockudo_workers_unanswered") == 0
        assert one.value("sockudo_connected", port=str(server.port)) == CLIENTS


async def test_each_worker_shows_its_own_loop_sockets_and_outboxes(tmp_path: Path) -> None:
    async with workers(tmp_path) as (server, port), crowd(server.port):

        async def sums() -> list[float]:
            one = await scraped(port)
            of_each = [one.value("sockudo_sockets", state="websocket", worker=worker) for worker in ("0", "1")]
            lags = [one.value("sockudo_event_loop_lag_seconds_count", worker=worker) > 0 for worker in ("0", "1")]
            return [sum(of_each), *lags]

        await eventually(sums, [CLIENTS, True, True])
        one = await scraped(port)
        for name in ("sockets", "outbox_bytes", "outbox_largest_bytes", "flush_batch_sockets_count"):
            found = {dict(labels)["worker"] for sample, labels in one.samples if sample == f"sockudo_{name}"}
            assert found == {"0", "1"}
        other = 1 - (await server.logged("metrics served"))[0]["worker"]
        stalled = server.pids[other]
        before = one.value("sockudo_event_loop_lag_seconds_sum", worker=str(other))
        os.kill(stalled, signal.SIGSTOP)
        try:
            await eventually(lambda: unanswered(port), 1)
        finally:
            os.kill(stalled, signal.SIGCONT)

        async def is_late() -> bool:
            after = await scraped(port)
            return after.value("sockudo_event_loop_lag_seconds_sum", worker=str(other)) > before + 1

        await eventually(is_late)


async def unanswered(port: int) -> float:
    return (await scraped(port)).value("sockudo_workers_unanswered")


async def test_counters_never_go_back_while_workers_are_replaced(tmp_path: Path) -> None:
    async with workers(tmp_path) as (server, port):
        async with crowd(server.port):
            pass
        for rounds in (1, 2):
            server.send(signal.SIGHUP)
            replaced = asyncio.create_task(server.logged("workers: all replaced", rounds))
            while not replaced.done():
                assert (await scraped(port)).value("sockudo_new_connections_total", app_id=APP_ID) == CLIENTS
                await asyncio.sleep(0.05)
            await replaced
        one = await scraped(port)
        assert one.value("sockudo_new_connections_total", app_id=APP_ID) == CLIENTS
        assert one.value("sockudo_new_disconnections_total", app_id=APP_ID) == CLIENTS
        assert one.value("sockudo_connected", app_id=APP_ID) == 0

        # The last worker that was replaced may still be on its way out.
        async def count() -> float:
            return (await scraped(port)).value("sockudo_workers")

        await eventually(count, 2)


@pytest.mark.parametrize("victim", [0, 1])
async def test_a_killed_worker_keeps_what_was_shown_of_it(tmp_path: Path, victim: int) -> None:
    async with workers(tmp_path) as (server, port):
        async with crowd(server.port):
            pass
        seen = await scraped(port)
        assert seen.value("sockudo_new_connections_total", app_id=APP_ID) == CLIENTS
        os.kill(server.pids[victim], signal.SIGKILL)

        async def is_whole() -> list[float]:
            one = await scraped(port)
            count = one.value("sockudo_new_connections_total", app_id=APP_ID)
            return [count, one.value("sockudo_workers"), one.value("sockudo_workers_unanswered")]

        await eventually(is_whole, [CLIENTS, 2, 0], within=30)
        async with crowd(server.port):
            await eventually(is_whole, [2 * CLIENTS, 2, 0])


async def test_a_worker_that_hangs_holds_up_no_scrape(tmp_path: Path) -> None:
    async with workers(tmp_path) as (server, port):
        async with crowd(server.port):
            pass
        await scraped(port)

        async def shown() -> list[float]:
            one = await scraped(port)
            count = one.value("sockudo_new_connections_total", app_id=APP_ID)
            return [one.value("sockudo_workers_unanswered"), count]

        listening = await server.logged("metrics served")
        stalled = server.pids[1 - listening[0]["worker"]]
        os.kill(stalled, signal.SIGSTOP)
        try:
            await eventually(shown, [1, CLIENTS])
        finally:
            os.kill(stalled, signal.SIGCONT)
        await eventually(shown, [0, CLIENTS])


async def test_the_end_of_the_workers_leaves_no_directory(tmp_path: Path) -> None:
    directories = tmp_path / "tmp"
    directories.mkdir()
    metrics = {"enabled": True, "host": "127.0.0.1", "port": free_port()}
    environ = {"TMPDIR": str(directories)}
    async with workers_process(tmp_path, "--workers", "2", environ=environ, metrics=metrics) as server:
        await server.greeted()
        server.process.send_signal(signal.SIGTERM)
        assert await server.ended() == 0
    assert list(directories.iterdir()) == []
