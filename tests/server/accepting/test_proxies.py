"""Real proxies in front: HAProxy that sends PROXY headers, and nginx before a unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.clients.client import PusherClient
from tests.clients.doors import TlsClient, ask, get, tls_settings, trusting
from tests.servers.broker_process import BrokerProcess, find_program
from tests.servers.certificates import Certificate
from tests.servers.ports import free_port
from tests.servers.server import running_server
from tests.support.pages import the_block
from tests.support.source import ROOT

LIMITED: Final[dict[str, Any]] = {
    "rate_limiter": {
        "enabled": True,
        "trusted_networks": ["unix"],
        "api_rate_limit": {"max_requests": 9, "window_seconds": 60, "trust_hops": 1},
    }
}
# HAProxy calls from here; its clients from elsewhere.
FROM_HAPROXY: Final[dict[str, Any]] = {"proxy_protocol": {"networks": ["127.0.0.1"]}}
ROUTE: Final = get("/apps/1/channels")
# What the page shows for HAProxy and nginx.
PAGE: Final = ROOT / "docs" / "deployment.md"
SHOWN_OPTIONS: Final = the_block(PAGE, "text", "send-proxy").partition("10.0.1.5:6001 ")[2].strip()
SHOWN_UPSTREAM: Final = the_block(PAGE, "nginx", "upstream")


@contextlib.contextmanager
def started(command: list[str], folder: Path, port: int) -> Iterator[None]:
    """Run a proxy until the end; it is ready when it listens."""

    def answers() -> bool:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True

    proxy = BrokerProcess(command, folder, answers)
    try:
        proxy.start()
        yield
    finally:
        proxy.end()


@contextlib.contextmanager
def haproxy(folder: Path, server: str) -> Iterator[int]:
    """Run HAProxy in TCP mode before a server; yield its port."""
    port, config = free_port(), folder / "haproxy.cfg"
    config.write_text(
        "defaults\n mode tcp\n timeout connect 10s\n timeout client 60s\n timeout server 60s\n"
        f"listen sockudo\n bind 127.0.0.1:{port}\n server one {server}\n"
    )
    command = [find_program("haproxy", "apt install haproxy"), "-db", "-f", str(config)]
    with started(command, folder, port):
        yield port


@contextlib.contextmanager
def nginx(folder: Path, path: Path) -> Iterator[int]:
    """Run nginx before a unix socket; yield its port."""
    port, config = free_port(), folder / "nginx.conf"
    bodies = "".join(f"{name}_temp_path {folder}; " for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    config.write_text(
        f"user root; daemon off; pid {folder}/nginx.pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; {bodies}\n"
        "map $http_upgrade $connection_upgrade { default upgrade; '' ''; }\n"
        f"{SHOWN_UPSTREAM.replace('/run/sockudo/sockudo.sock', str(path))}\n"
        f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://sockudo; proxy_http_version 1.1;\n"
        "proxy_set_header Host $host; proxy_set_header Upgrade $http_upgrade;\n"
        "proxy_set_header Connection $connection_upgrade;\n"
        "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; } } }\n"
    )
    command = [find_program("nginx", "apt install nginx-light"), "-p", str(folder), "-c", str(config)]
    with started(command, folder, port):
        yield port


async def remaining(port: int, client: str) -> int:
    """Ask from an address, and return how often it may ask again."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(client, 0))
    writer.write(ROUTE)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
    writer.close()
    (line,) = [line for line in head.decode().lower().split("\r\n") if line.startswith("x-ratelimit-remaining")]
    return int(line.partition(":")[2])


@pytest.mark.parametrize("version", ["send-proxy", SHOWN_OPTIONS])
async def test_haproxy_names_its_clients_in_a_header(tmp_path: Path, version: str) -> None:
    async with running_server(**LIMITED, **FROM_HAPROXY) as server:
        with haproxy(tmp_path, f"127.0.0.1:{server.port} {version}") as port:
            assert [await remaining(port, "127.0.0.2") for _ in range(2)] == [8, 7]
            assert await remaining(port, "127.0.0.3") == 8
            async with PusherClient(port) as client:
                await client.subscribe("news")


async def test_haproxy_passes_tls_on_behind_its_header(tmp_path: Path, made: Certificate) -> None:
    context = trusting(made)
    async with running_server(**FROM_HAPROXY, ssl=tls_settings(made)) as server:
        options = "send-proxy-v2 proxy-v2-options unique-id,crc32c"
        with haproxy(tmp_path, f"127.0.0.1:{server.port} {options}") as port:
            assert (await ask(port, context=context)).status == 200
            async with TlsClient(port, context) as client:
                await client.subscribe("news")


async def test_haproxy_without_its_header_is_refused(tmp_path: Path) -> None:
    async with running_server(**FROM_HAPROXY) as server:
        with haproxy(tmp_path, f"127.0.0.1:{server.port}") as port, pytest.raises((OSError, ValueError)):
            await ask(port)


async def test_haproxy_reaches_a_unix_socket_with_its_header(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    unix = {"enabled": True, "path": str(path), "permission_mode": "666"}
    async with running_server(**LIMITED, unix_socket=unix, proxy_protocol={"networks": ["unix"]}):
        with haproxy(tmp_path, f"unix@{path} send-proxy-v2") as port:
            assert [await remaining(port, "127.0.0.2") for _ in range(2)] == [8, 7]
            assert await remaining(port, "127.0.0.3") == 8


async def test_nginx_reaches_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    async with running_server(**LIMITED, unix_socket={"enabled": True, "path": str(path), "permission_mode": "666"}):
        with nginx(tmp_path, path) as port:
            assert [await remaining(port, "127.0.0.2") for _ in range(2)] == [8, 7]
            assert await remaining(port, "127.0.0.3") == 8
            async with PusherClient(port) as client:
                await client.subscribe("news")
