"""The ports for metrics and for the redirect to TLS, as the real command has them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.client import http
from tests.clients.doors import ask, tls_settings
from tests.servers.certificates import Certificate, make_certificate
from tests.servers.ports import free_port
from tests.servers.workers import workers_process
from tests.support.scrapes import scrape
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the supervisor hands its sockets over")

PROCESSES = pytest.mark.parametrize("workers", [1, 2])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate and its key."""
    return make_certificate(tmp_path_factory.mktemp("made"))


@contextlib.contextmanager
def taken_port() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def with_metrics(port: int) -> dict[str, Any]:
    return {"metrics": {"enabled": True, "host": "127.0.0.1", "port": port}}


def with_redirect(made: Certificate, port: int) -> dict[str, Any]:
    return {"ssl": tls_settings(made, redirect_http=True, http_port=port)}


async def worker_count(metrics: int) -> float:
    """Return for how many workers a scrape speaks."""
    return (await scrape(metrics)).value("sockudo_workers")


@PROCESSES
async def test_a_taken_metrics_port_ends_the_start_with_2(tmp_path: Path, workers: int) -> None:
    with taken_port() as port:
        async with workers_process(tmp_path, workers=workers, **with_metrics(port)) as server:
            assert await server.ended() == 2
    expected = f"The server cannot start: it cannot listen on 127.0.0.1:{port} (metrics.host, metrics.port)"
    assert server.lines[-1].startswith(expected)
    assert sum("cannot listen" in line for line in server.lines) == 1


@PROCESSES
async def test_a_taken_redirect_port_ends_the_start_with_2(tmp_path: Path, made: Certificate, workers: int) -> None:
    with taken_port() as port:
        async with workers_process(tmp_path, workers=workers, **with_redirect(made, port)) as server:
            assert await server.ended() == 2
    expected = f"The server cannot start: it cannot listen on 127.0.0.1:{port} (host, ssl.http_port)"
    assert server.lines[-1].startswith(expected)


@PROCESSES
async def test_a_failed_start_leaves_no_unix_socket(tmp_path: Path, workers: int) -> None:
    path = tmp_path / "sockudo.sock"
    with taken_port() as port:
        unix_socket = {"enabled": True, "path": str(path)}
        async with workers_process(tmp_path, workers=workers, unix_socket=unix_socket, **with_metrics(port)) as server:
            assert await server.ended() == 2
    assert not path.exists()


async def test_no_second_server_shares_the_ports_of_workers(tmp_path: Path, made: Certificate) -> None:
    port = free_port()
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    async with workers_process(first, workers=2, **with_redirect(made, port)) as server:
        await server.greeted()
        for workers in ("auto", 2):
            async with workers_process(second, workers=workers, **with_redirect(made, port)) as other:
                assert await other.ended() == 2
        assert (await ask(port)).status == 308


async def test_scrapers_and_redirects_are_served_while_workers_are_replaced(tmp_path: Path, made: Certificate) -> None:
    metrics, redirect = free_port(), free_port()
    changes = with_metrics(metrics) | with_redirect(made, redirect)
    async with workers_process(tmp_path, workers=2, shutdown_grace_period=1, **changes) as server:
        await server.greeted()
        server.send(signal.SIGHUP)
        replaced = asyncio.create_task(server.logged("workers: all replaced"))
        while not replaced.done():
            # No connection is refused: the supervisor keeps both ports.
            with contextlib.suppress(ConnectionResetError, asyncio.IncompleteReadError, IndexError):
                assert (await http(metrics, "GET", "/metrics")).status == 200
            assert (await ask(redirect)).status == 308
        await replaced
        await eventually(lambda: worker_count(metrics), 2)


async def test_a_replacement_keeps_the_ports_of_the_start(tmp_path: Path, made: Certificate) -> None:
    metrics, redirect = free_port(), free_port()
    changes = with_metrics(metrics) | with_redirect(made, redirect)
    async with workers_process(tmp_path, workers=2, shutdown_grace_period=1, **changes) as server:
        await server.greeted()
        config = tmp_path / "config.json"
        with taken_port() as port:
            config.write_text(json.dumps(json.loads(config.read_text()) | with_metrics(port)))
            server.send(signal.SIGHUP)
            await server.logged("workers: all replaced")
        await eventually(lambda: worker_count(metrics), 2)
        assert (await ask(redirect)).status == 308


async def test_a_port_switched_on_by_a_reload_is_a_warning(tmp_path: Path) -> None:
    async with workers_process(tmp_path, workers=2, shutdown_grace_period=1) as server:
        await server.greeted()
        config = tmp_path / "config.json"
        config.write_text(json.dumps(json.loads(config.read_text()) | with_metrics(free_port())))
        server.send(signal.SIGHUP)
        await server.logged("workers: all replaced")
        assert server.events("metrics not served: they were switched on after the start; restart the server")
