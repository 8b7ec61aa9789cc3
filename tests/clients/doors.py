"""Clients that come in by other ways than a plain TCP port: TLS, a unix socket, a proxy that names the client."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import struct
from collections.abc import AsyncIterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from websockets.asyncio.client import connect, unix_connect

from tests.clients.client import WAIT, ApiClient, PusherClient
from tests.clients.raw import request_bytes
from tests.fakes.http_socket import ReadAnswer, read_answers
from tests.servers.certificates import Certificate
from tests.servers.server import KEY

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"


def trusting(authority: Certificate | Path, client: Certificate | None = None) -> ssl.SSLContext:
    """Return what a client needs that trusts one authority, and that may have a certificate of its own."""
    context = ssl.create_default_context(cafile=authority if isinstance(authority, Path) else authority.cert)
    if client is not None:
        context.load_cert_chain(client.cert, client.key)
    return context


class TlsClient(PusherClient):
    """A client over TLS."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        super().__init__(port)
        self._context = context

    async def _open(self) -> None:
        url = self._url.replace("ws://", "wss://")
        self._socket = await connect(
            url, ssl=self._context, ping_interval=None, max_size=None, max_queue=None, proxy=None, open_timeout=30
        )
        self.first = await self.receive()

    @property
    def serial(self) -> str:
        """The serial number of the server's certificate."""
        found = self._socket.transport.get_extra_info("peercert")
        return str(found["serialNumber"])


class UnixClient(PusherClient):
    """A client over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__(0)
        self._path = path

    async def _open(self) -> None:
        uri = f"ws://localhost/app/{KEY}?protocol=7"
        self._socket = await unix_connect(str(self._path), uri, ping_interval=None, max_size=None, max_queue=None)
        self.first = await self.receive()


@contextlib.asynccontextmanager
async def streams(port: int, context: ssl.SSLContext | None = None) -> AsyncIterator[Streams]:
    """Open a connection, over TLS where there is a context."""
    reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port, ssl=context), WAIT)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def get(path: str = "/up", **headers: str) -> bytes:
    """Return a request that is the last of its connection; `_` in a name of a header is `-`."""
    lines = {"Host": "localhost", "Connection": "close"} | {name.replace("_", "-"): v for name, v in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"GET {path} HTTP/1.1\r\n{head}\r\n".encode()


async def answer(connection: Streams) -> ReadAnswer:
    """Read until the server has closed the connection, and return its one answer."""
    (one,) = read_answers(await asyncio.wait_for(connection[0].read(), WAIT))
    return one


async def ask(port: int, data: bytes | None = None, context: ssl.SSLContext | None = None) -> ReadAnswer:
    """Send bytes over a connection of their own, and return the one answer."""
    async with streams(port, context) as connection:
        connection[1].write(get() if data is None else data)
        return await answer(connection)


async def is_dropped(connection: Streams) -> bool:
    """Read until the server has closed the connection; tell whether it said nothing."""
    try:
        return not await asyncio.wait_for(connection[0].read(), 2 * WAIT)
    except TimeoutError:
        raise
    except OSError:
        return True


async def publish(connection: Streams, channel: str, data: str) -> None:
    """Publish one event over a connection that is kept, and check that it was taken."""
    reader, writer = connection
    body = json.dumps({"name": "event", "channel": channel, "data": data}).encode()
    writer.write(request_bytes("POST", ApiClient(0).target("POST", "/events", body), body))
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT)
    assert head.startswith(b"HTTP/1.1 200 "), head
    assert await reader.readexactly(2) == b"{}"


def line(client: str, kind: str = "TCP4") -> bytes:
    """Return a header of version 1."""
    return f"PROXY {kind} {client} {client} 4711 443\r\n".encode()


def binary(client: str, *, command: int = 0x21, family: int | None = None, more: bytes = b"") -> bytes:
    """Return a header of version 2; `more` are values behind the addresses."""
    address = ip_address(client)
    family = family if family is not None else 0x11 if address.version == 4 else 0x21
    body = address.packed * 2 + struct.pack("!HH", 4711, 443) + more
    return SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


async def is_refused(port: int, context: ssl.SSLContext) -> bool:
    """Tell whether a server ends a handshake; with TLS 1.3 the client learns of it when it reads."""
    try:
        async with streams(port, context) as connection:
            connection[1].write(get())
            return await is_dropped(connection)
    except OSError:
        return True


def tls_settings(certificate: Certificate, **changes: object) -> Mapping[str, object]:
    """Return the section `ssl` for a certificate."""
    return {"enabled": True, "cert_path": str(certificate.cert), "key_path": str(certificate.key), **changes}
