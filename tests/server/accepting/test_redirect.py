"""Plain HTTP on a port of its own: everything is redirected to TLS."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.clients.client import http
from tests.clients.doors import ask, get, is_dropped, line, streams, tls_settings
from tests.servers.certificates import Certificate
from tests.servers.ports import free_port
from tests.servers.server import running_server
from tests.servers.workers import workers_process


def redirecting(made: Certificate, port: int) -> dict[str, Any]:
    return {"ssl": tls_settings(made, redirect_http=True, http_port=port)}


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("example.com", "example.com"),
        ("example.com:80", "example.com"),
        ("192.0.2.1:8080", "192.0.2.1"),
        ("[2001:db8::1]:80", "[2001:db8::1]"),
    ],
)
async def test_every_path_is_redirected_to_the_same_host(made: Certificate, host: str, shown: str) -> None:
    port = free_port()
    async with running_server(**redirecting(made, port)) as server:
        for path in ("/", "/up", "/app/app-key?protocol=7", "/apps/1/events?a=b&c=%20d"):
            found = await ask(port, get(path, Host=host))
            assert found.status == 308
            assert found.headers["location"] == f"https://{shown}:{server.port}{path}"


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
async def test_every_method_is_redirected(made: Certificate, method: str) -> None:
    port = free_port()
    async with running_server(**redirecting(made, port)):
        assert (await http(port, method, "/apps/1/events", b"{}")).status == 308


async def test_an_upgrade_is_redirected(made: Certificate) -> None:
    port = free_port()
    async with running_server(**redirecting(made, port)):
        headers = {"Connection": "close, Upgrade", "Upgrade": "websocket"}
        assert (await http(port, "GET", "/app/app-key", headers=headers)).status == 308


@pytest.mark.parametrize("host", ["", "a b", "example.com/evil", "user@example.com", "[::1", "example.com:port"])
async def test_a_host_that_cannot_be_read_is_400(made: Certificate, host: str) -> None:
    port = free_port()
    async with running_server(**redirecting(made, port)):
        found = await ask(port, get("/", Host=host))
        assert found.status == 400
        assert "location" not in found.headers


async def test_a_proxy_names_its_clients_on_this_port_too(made: Certificate) -> None:
    port = free_port()
    async with running_server(**redirecting(made, port), proxy_protocol={"networks": ["127.0.0.1"]}):
        assert (await ask(port, line("203.0.113.9") + get())).status == 308
        async with streams(port) as connection:
            connection[1].write(get())
            assert await is_dropped(connection)


async def test_without_tls_nothing_is_redirected(made: Certificate) -> None:
    port = free_port()
    async with running_server(ssl={"enabled": False, "redirect_http": True, "http_port": port}):
        with pytest.raises(OSError):
            await ask(port)


async def test_workers_redirect_together_and_while_they_are_replaced(made: Certificate, tmp_path: Path) -> None:
    port = free_port()
    async with workers_process(tmp_path, "--workers", "2", **redirecting(made, port)) as server:
        await server.greeted()
        assert {(await ask(port)).status for _ in range(8)} == {308}
        server.send(signal.SIGHUP)
        await server.logged("workers: all replaced")
        assert {(await ask(port)).status for _ in range(8)} == {308}
