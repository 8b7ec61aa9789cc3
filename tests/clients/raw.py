"""Sockets that do nothing by themselves: they read when asked, answer nothing, and show every byte."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Any, TypeVar

from tests.clients.client import WAIT, Answer, signature
from tests.servers.server import KEY

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

Self = TypeVar("Self", bound="RawSocket")


class RawSocket:
    """A TCP connection. What is waited for arrives within `WAIT` seconds or fails.

    Args:
        receive_buffer: bytes that the kernel takes for a reader that does not read.
    """

    def __init__(self, port: int, receive_buffer: int | None = None) -> None:
        self.port = port
        self._socket = socket.socket()
        self._socket.setblocking(False)
        # What is written apart is sent apart.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._read = b""

    async def __aenter__(self: Self) -> Self:
        try:
            await asyncio.get_running_loop().sock_connect(self._socket, ("127.0.0.1", self.port))
        except BaseException:
            self._socket.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    @property
    def local_port(self) -> int:
        """The port of its own end."""
        port: int = self._socket.getsockname()[1]
        return port

    async def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        await asyncio.wait_for(asyncio.get_running_loop().sock_sendall(self._socket, data), WAIT)

    async def read_exactly(self, size: int) -> bytes:
        """Return so many bytes."""
        while len(self._read) < size:
            await self._read_more()
        data, self._read = self._read[:size], self._read[size:]
        return data

    async def read_until(self, end: bytes) -> bytes:
        """Return what comes before `end`, which is taken too."""
        while end not in self._read:
            await self._read_more()
        data, _, self._read = self._read.partition(end)
        return data

    async def expect_end(self) -> None:
        """Check that the server drops or closes the connection, and sends nothing before."""
        assert not self._read, self._read
        try:
            assert not (data := await self._receive()), data
        except ConnectionResetError:
            return

    async def _read_more(self) -> None:
        data = await self._receive()
        if not data:
            raise EOFError(f"the connection ended after {self._read!r}")
        self._read += data

    async def _receive(self) -> bytes:
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self._socket, 1 << 20), WAIT)


class HttpConnection(RawSocket):
    """A connection for any number of HTTP requests, as they are written."""

    async def request(
        self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Make one request and return its answer; the connection is kept."""
        await self.write(request_bytes(method, target, body, headers))
        return await self.answer(head_only=method == "HEAD")

    async def answer(self, *, head_only: bool = False) -> Answer:
        """Return the next answer."""
        status, headers = await self.head()
        size = 0 if head_only or status < 200 else int(headers["content-length"])
        return Answer(status, headers, await self.read_exactly(size))

    async def head(self) -> tuple[int, dict[str, str]]:
        """Return status and headers of the next answer; its body is left to be read."""
        head = await self.read_until(b"\r\n\r\n")
        first, *fields = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in fields)
        return int(first.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}


class RawWebSocket(HttpConnection):
    """A WebSocket that answers neither PING nor close frames by itself."""

    async def open(self, key: str = KEY, query: str = "?protocol=7") -> dict[str, Any]:
        """Make the handshake and return the first frame."""
        await self.write(upgrade_bytes(f"/app/{key}{query}"))
        status, headers = await self.head()
        assert status == 101, (status, headers)
        return await self.event()

    async def subscribe(self, channel: str, channel_data: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Make the handshake, join a channel with a signature, and return the answer."""
        socket_id = json.loads((await self.open())["data"])["socket_id"]
        text = f"{socket_id}:{channel}"
        data = {"channel": channel}
        if channel_data is not None:
            data["channel_data"] = json.dumps(channel_data)
            text += ":" + data["channel_data"]
        await self.send_event("pusher:subscribe", data | {"auth": f"{KEY}:{signature(text)}"})
        return await self.event()

    async def send(self, opcode: int, payload: bytes) -> None:
        """Send one whole frame."""
        await self.write(client_frame(opcode, payload))

    async def send_event(self, event: str, data: object) -> None:
        """Send one event."""
        await self.send(TEXT, json.dumps({"event": event, "data": data}, separators=(",", ":")).encode())

    async def frame(self) -> tuple[int, bytes]:
        """Return opcode and payload of the next frame."""
        first, length = await self.read_exactly(2)
        if length == 126:
            length = int.from_bytes(await self.read_exactly(2))
        elif length == 127:
            length = int.from_bytes(await self.read_exactly(8))
        return first & 0x0F, await self.read_exactly(length)

    async def event(self) -> dict[str, Any]:
        """Return the next frame, which is an event."""
        opcode, payload = await self.frame()
        assert opcode == TEXT, (opcode, payload)
        frame: dict[str, Any] = json.loads(payload)
        return frame

    async def expect_close(self) -> tuple[int, str]:
        """Return code and reason of the next frame, which is a close frame."""
        opcode, payload = await self.frame()
        assert opcode == CLOSE, (opcode, payload)
        return int.from_bytes(payload[:2]), payload[2:].decode()


def client_frame(opcode: int, payload: bytes) -> bytes:
    """Return one whole frame, masked with zeros."""
    length = len(payload)
    size = bytes((0x80 | length,)) if length < 126 else b"\xfe" + length.to_bytes(2)
    return bytes((0x80 | opcode,)) + size + b"\0\0\0\0" + payload


def request_bytes(method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """Return one HTTP/1.1 request; a body is declared by its length."""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def upgrade_bytes(target: str, headers: Mapping[str, str] | None = None) -> bytes:
    """Return the request that opens a WebSocket."""
    upgrade = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
    }
    return request_bytes("GET", target, headers=upgrade | dict(headers or {}))
