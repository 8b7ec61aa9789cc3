"""What attacks have in common: raw sockets, a bystander who must not notice, and a log that must stay clean."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from tests.clients.client import WAIT, ApiClient, PusherClient
from tests.servers.server import SECRET, ServerProcess, server_process

LONGEST_LINE = 1100
CHANNEL = "bystanders"

_numbers = count()


@dataclass
class Target:
    """A server in a process of its own, under attack."""

    server: ServerProcess
    log: Path

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self.server.port

    @property
    def rss(self) -> int:
        """Resident memory in bytes."""
        status = Path(f"/proc/{self.server.process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:"))

    def check(self) -> None:
        """Check that the process lives, and that its log holds nothing that it must not."""
        assert self.server.process.poll() is None, self.log.read_text()[-3000:]
        check_log(self.log.read_text())


def check_log(text: str) -> None:
    """Check that a log has no stack trace, no secret, no error and no long line."""
    for word in ("Traceback", SECRET, "request failed", "Fatal error", "Exception in callback", "never awaited"):
        assert word not in text, text[-3000:]
    longest = max((line for line in text.splitlines()), key=len, default="")
    assert len(longest) <= LONGEST_LINE, longest[:300]


@contextmanager
def under_attack(folder: Path, *apps: dict[str, Any], **changes: Any) -> Iterator[Target]:
    """Run a server that must survive, stop in order, and leave a clean log."""
    with server_process(folder, *apps, **changes) as server:
        target = Target(server, folder / "server.log")
        yield target
        target.check()
        assert server.stop() == 0
    check_log(target.log.read_text())


class Bystander:
    """A well-behaved subscriber, and the back end that publishes to it."""

    def __init__(self, port: int) -> None:
        self._client = PusherClient(port)
        self._api = ApiClient(port)

    async def expect_events(self, events: int = 5) -> None:
        """Publish events and check that exactly these arrive, in order."""
        for _ in range(events):
            number = next(_numbers)
            await self._api.trigger(CHANNEL, str(number))
            assert await self._client.receive() == {"event": "event", "channel": CHANNEL, "data": str(number)}

    async def open(self) -> None:
        """Connect and subscribe."""
        await self._client.__aenter__()
        await self._client.subscribe(CHANNEL)

    async def close(self) -> None:
        """Leave."""
        await self._client.close()


@asynccontextmanager
async def bystander(port: int) -> AsyncIterator[Bystander]:
    """Let a bystander watch; at the end it must have missed nothing, and have got nothing that is not its own."""
    watching = Bystander(port)
    await watching.open()
    try:
        await watching.expect_events()
        yield watching
        await watching.expect_events()
    finally:
        await watching.close()


def smuggled_request(port: int) -> bytes:
    """Return a signed request that the bystander would notice if it were carried out."""
    body = b'{"name":"smuggled","channel":"%b","data":"1"}' % CHANNEL.encode()
    target = ApiClient(port).target("POST", "/events", body)
    return f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Attacker:
    """One TCP connection that sends whatever it likes, in any way."""

    def __init__(self, port: int, receive_buffer: int | None = None) -> None:
        self._socket = socket.socket()
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.connect(("127.0.0.1", port))
        self._socket.setblocking(False)

    async def send(self, data: bytes) -> bool:
        """Send everything; tell whether the server let us, or had enough of it before."""
        try:
            await asyncio.wait_for(asyncio.get_running_loop().sock_sendall(self._socket, data), WAIT)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def try_to_send(self, data: bytes) -> int:
        """Send what the network takes at once; return how many bytes: none where the server has dropped us, too."""
        try:
            return self._socket.send(data)
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            return 0

    async def receive(self) -> bytes:
        """Return some bytes; none at the end of the stream."""
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self._socket, 1 << 16), WAIT)

    async def receive_all(self) -> bytes:
        """Return everything until the server ends the stream, which it must."""
        data = b""
        try:
            while chunk := await self.receive():
                data += chunk
        except ConnectionResetError:
            pass
        return data

    def half_close(self) -> None:
        """Say that nothing more will be sent."""
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Be done."""
        self._socket.close()

    def reset(self) -> None:
        """Be gone, with RST instead of FIN."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()


async def exchange(port: int, data: bytes, *, half_close: bool = False) -> bytes:
    """Send bytes and return everything that comes back until the server ends the stream."""
    attacker = Attacker(port)
    try:
        receiving = asyncio.ensure_future(attacker.receive_all())
        try:
            if await attacker.send(data) and half_close:
                attacker.half_close()
            return await receiving
        finally:
            receiving.cancel()
    finally:
        attacker.close()


async def subscribers(port: int, channel: str = CHANNEL) -> int:
    """Ask the server how many are on a channel."""
    answer = await ApiClient(port).get(f"/channels/{channel}", info="subscription_count")
    return int(answer.json()["subscription_count"])


async def until_subscribers(port: int, count: int, channel: str = CHANNEL) -> None:
    """Wait until so many are on a channel."""
    async with asyncio.timeout(4 * WAIT):
        while await subscribers(port, channel) != count:  # noqa: ASYNC110 - only the server knows
            await asyncio.sleep(0.01)


async def until(condition: Callable[[], bool], what: str = "") -> None:
    """Wait for a state of the server that nothing announces."""
    async with asyncio.timeout(4 * WAIT):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.005)
