"""The recipes for nginx, Caddy and HAProxy, really run before the server."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.clients.client import ApiClient
from tests.servers.processes import program
from tests.servers.proxies import OPS, PROXIES, Proxy, proxy
from tests.servers.server import KEY, RunningServer, running_server

WAIT: Final = 20.0
ACTIVITY_TIMEOUT: Final = 120
PONG_WAIT: Final = 30


@dataclass
class Site:
    """A server behind a proxy, as clients see it from some address of their own."""

    proxy: Proxy
    server: RunningServer

    @asynccontextmanager
    async def websocket(self, address: str = "127.0.0.1", **headers: str) -> AsyncIterator[ClientConnection]:
        """Connect over TLS."""
        context = ssl.create_default_context(cafile=str(self.proxy.certificate.cert))
        url = f"wss://localhost:{self.proxy.port}/app/{KEY}?protocol=7"
        where: dict[str, Any] = {"host": "127.0.0.1", "local_addr": (address, 0)}
        async with connect(
            url, ssl=context, proxy=None, ping_interval=None, additional_headers=headers, **where
        ) as opened:
            yield opened

    async def curl(self, target: str, *options: str, address: str = "127.0.0.1") -> tuple[str, int, str]:
        """Make a request over HTTP/2; return the version of HTTP that was spoken, the status and the body."""
        fixed = ["--silent", "--show-error", "--http2", "--max-time", str(WAIT), "--interface", address]
        fixed += ["--cacert", str(self.proxy.certificate.cert), "--resolve", f"localhost:{self.proxy.port}:127.0.0.1"]
        fixed += ["--write-out", "\n%{http_version} %{http_code}"]
        command = [program("curl", "curl"), *fixed, *options, f"https://localhost:{self.proxy.port}{target}"]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        output, errors = await asyncio.wait_for(process.communicate(), 2 * WAIT)
        assert process.returncode == 0, errors.decode()
        body, _, last = output.decode().rpartition("\n")
        version, status = last.split()
        return version, int(status), body

    async def publish(self, data: str = "hello", *options: str, address: str = "127.0.0.1") -> tuple[str, int, str]:
        """Publish an event to the channel `room`, signed."""
        body = json.dumps({"name": "event", "channel": "room", "data": data})
        target = ApiClient(self.proxy.port).target("POST", "/events", body.encode())
        json_body = ["--header", "Content-Type: application/json", "--data-binary", body]
        return await self.curl(target, *json_body, *options, address=address)


@asynccontextmanager
async def site(kind: str, folder: Path, **changes: Any) -> AsyncIterator[Site]:
    async with running_server(**changes) as server:
        loop = asyncio.get_running_loop()
        manager = proxy(kind, folder / kind, server.port)
        # The proxy asks the server how it is, so this loop must not wait for the proxy.
        running = await loop.run_in_executor(None, manager.__enter__)
        try:
            yield Site(running, server)
        except BaseException:
            print(running.log_tail())
            raise
        finally:
            await loop.run_in_executor(None, manager.__exit__, None, None, None)


@pytest.fixture(params=sorted(PROXIES))
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


async def receive(socket: ClientConnection) -> dict[str, Any]:
    frame: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), WAIT))
    return frame


async def established(socket: ClientConnection) -> None:
    assert (await receive(socket))["event"] == "pusher:connection_established"


async def test_an_event_passes_the_proxy_over_tls_and_http_2(kind: str, tmp_path: Path) -> None:
    async with site(kind, tmp_path) as behind, behind.websocket() as client:
        await established(client)
        await client.send(json.dumps({"event": "pusher:subscribe", "data": {"channel": "room"}}))
        assert (await receive(client))["event"] == "pusher_internal:subscription_succeeded"
        for data in ("hello", "x" * 90_000):
            assert await behind.publish(data) == ("2", 200, "{}")
            assert (await receive(client))["data"] == data
        # From the client, as much as the server takes.
        await client.send(json.dumps({"event": "pusher:ping", "data": "x" * 60_000}))
        assert (await receive(client))["event"] == "pusher:pong"


async def test_the_server_counts_the_address_of_the_client(kind: str, tmp_path: Path) -> None:
    limit = {"max_requests": 2, "window_seconds": 600, "trust_hops": 1}
    limits = {"enabled": True, "api_rate_limit": limit, "websocket_rate_limit": limit}
    async with site(kind, tmp_path, rate_limiter=limits) as behind:
        for address in ("127.0.0.2", "127.0.0.3"):
            forged = ["--header", "X-Forwarded-For: 192.0.2.1", "--header", "X-Real-IP: 192.0.2.2"]
            statuses = [(await behind.publish(address=address))[1] for _ in range(3)]
            assert statuses == [200, 200, 429]
            assert (await behind.publish("hello", *forged, address=address))[1] == 429
            for _ in range(2):
                async with behind.websocket(address) as client:
                    await established(client)
            with pytest.raises((InvalidStatus, ConnectionClosed, AssertionError)):
                async with behind.websocket(address, **{"X-Forwarded-For": "192.0.2.1"}) as client:
                    await established(client)


async def test_the_proxy_shows_the_public_no_probe_but_up(kind: str, tmp_path: Path) -> None:
    async with site(kind, tmp_path) as behind:
        assert (await behind.curl("/up"))[1:] == (200, "OK")
        for target in ("/usage", "/ready", "/live", "/accept-traffic", "/metrics", "/"):
            assert (await behind.curl(target))[1] == 404, target


@pytest.mark.parametrize("kind", ["nginx", "haproxy"])
async def test_plain_http_is_sent_to_tls(kind: str, tmp_path: Path) -> None:
    async with site(kind, tmp_path) as behind:
        reader, writer = await asyncio.open_connection("127.0.0.1", behind.proxy.plain_port)
        writer.write(b"POST /apps/1/events?x=y HTTP/1.1\r\nHost: ws.example.com\r\nContent-Length: 0\r\n\r\n")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT)
        assert head.startswith(b"HTTP/1.1 308")
        assert b"location: https://ws.example.com/apps/1/events?x=y\r\n" in head.replace(b"Location", b"location")
        writer.close()


def test_nginx_keeps_idle_sockets_until_the_server_ends_them() -> None:
    text = (OPS / "nginx" / "nginx.conf").read_text()
    for name in ("proxy_read_timeout", "proxy_send_timeout"):
        (seconds,) = re.findall(rf"{name} (\d+)s;", text)
        assert int(seconds) > ACTIVITY_TIMEOUT + PONG_WAIT


def test_haproxy_keeps_idle_sockets_until_the_server_ends_them() -> None:
    (hours,) = re.findall(r"timeout tunnel (\d+)h", (OPS / "haproxy" / "haproxy.cfg").read_text())
    assert int(hours) * 3600 > ACTIVITY_TIMEOUT + PONG_WAIT


def test_caddy_sets_no_time_limit_on_sockets() -> None:
    text = (OPS / "caddy" / "Caddyfile").read_text()
    assert not re.findall(r"stream_timeout|read_timeout|write_timeout|idle_timeout|timeouts", text)


def test_every_proxy_takes_bodies_as_large_as_the_server_does() -> None:
    assert "client_max_body_size 10m;" in (OPS / "nginx" / "nginx.conf").read_text()
    assert "max_size 10MB" in (OPS / "caddy" / "Caddyfile").read_text()
