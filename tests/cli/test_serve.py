"""`sockudo serve` as a process whose output cannot be written, and on both families of addresses."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from sockudo.cli.failures import reporting
from tests.clients.client import PusherClient, http
from tests.servers.ports import free_port
from tests.servers.server import app, clean_environ, document
from tests.servers.workers import workers_process

PICKY = app(allowed_origins=["https://a.example.com"])
WAIT = 30.0


def start(folder: Path, output: int | IO[Any], *arguments: str, **changes: Any) -> subprocess.Popen[bytes]:
    (folder / "config.json").write_text(json.dumps(document(PICKY, **changes)))
    environ = clean_environ() | {"LOG_OUTPUT_FORMAT": "json", "LOG_LEVEL": "debug"}
    return subprocess.Popen(
        [sys.executable, "-m", "sockudo", "serve", "--config", "config.json", *arguments],
        stdout=output,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=environ,
    )


@contextlib.asynccontextmanager
async def served(process: subprocess.Popen[bytes], port: int) -> AsyncIterator[None]:
    """Wait until a server answers; then it must live, stop in order, and print nothing to stderr."""
    try:
        async with asyncio.timeout(WAIT):
            while not await is_up(port):
                assert process.poll() is None, process.communicate()
                await asyncio.sleep(0.05)
        yield
        assert process.poll() is None, process.communicate()
        process.terminate()
        _, problems = await asyncio.to_thread(process.communicate, timeout=WAIT)
        assert (process.returncode, problems) == (0, b"")
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


async def is_up(port: int) -> bool:
    try:
        return (await http(port, "GET", "/up")).status == 200
    except OSError:
        return False


async def refusals(port: int, count: int) -> None:
    """Be refused so many times, each time with both frames."""
    for _ in range(count):
        code, _ = await PusherClient(port, origin="https://b.example.com").expect_refusal()
        assert code == 4009


@pytest.fixture
def full_disk() -> Iterator[int]:
    """A file that has no room."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def unread() -> Iterator[tuple[int, int]]:
    """A pipe that nobody reads."""
    ends = os.pipe()
    yield ends
    for end in ends:
        with contextlib.suppress(OSError):
            os.close(end)


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_refusals_keep_their_frames_when_the_log_reader_goes(
    tmp_path: Path, unread: tuple[int, int], workers: str
) -> None:
    port = free_port()
    process = start(tmp_path, unread[1], "--workers", workers, port=port)
    async with served(process, port):
        for end in unread:
            os.close(end)
        await refusals(port, 20)


async def test_a_server_whose_log_is_on_a_full_disk_serves(tmp_path: Path, full_disk: int) -> None:
    port = free_port()
    process = start(tmp_path, full_disk, port=port)
    async with served(process, port):
        await refusals(port, 3)


async def test_a_log_that_nobody_reads_stops_nothing(tmp_path: Path, unread: tuple[int, int]) -> None:
    port = free_port()
    # The pipe is full before the server writes anything.
    os.set_blocking(unread[1], False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(unread[1], b"." * 4095 + b"\n")
    os.set_blocking(unread[1], True)
    process = start(tmp_path, unread[1], port=port)
    os.close(unread[1])
    async with served(process, port):
        await refusals(port, 50)
        reader = asyncio.StreamReader()
        read_end = os.fdopen(os.dup(unread[0]), "rb")
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), read_end
        )
        async with asyncio.timeout(WAIT):
            # Every line is whole, and none was lost: so many fit into the queue.
            while b"origin" not in (line := await reader.readline()):
                assert line.endswith(b"\n")
        transport.close()


async def test_a_slow_consumer_ends_alone_when_no_log_is_writable(tmp_path: Path, full_disk: int) -> None:
    port = free_port()
    process = start(tmp_path, full_disk, port=port, websocket={"max_buffer_kb": 1})
    async with served(process, port), PusherClient(port, origin="https://a.example.com") as reader:
        with socket.create_connection(("127.0.0.1", port)) as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await asyncio.to_thread(_flood, slow)
        await reader.expect_nothing()


def _flood(slow: socket.socket) -> None:
    """Ask for answers that are never read, until the server gives up."""
    slow.settimeout(WAIT)
    slow.sendall(
        b"GET /app/app-key?protocol=7 HTTP/1.1\r\nHost: x\r\nOrigin: https://a.example.com\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    with contextlib.suppress(ConnectionError):
        for _ in range(2000):
            slow.sendall(b"\x89\xfdkey!" + bytes(125) + b"\x89\xfdkey!" + bytes(125))


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), BrokenPipeError(32, "Broken pipe")])
def test_a_system_error_is_reported_as_itself(error: OSError, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise error

    assert reporting(fail) == 1
    told = capsys.readouterr().err
    assert told == f"The server has failed: {error}\n"
    assert "listen" not in told


async def test_a_taken_port_is_told_and_ends_with_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start(tmp_path, subprocess.DEVNULL, port=port)
        _, told = await asyncio.to_thread(process.communicate, timeout=WAIT)
    assert process.returncode == 2
    assert f"The server cannot start: it cannot listen on 127.0.0.1:{port} (host, port)" in told.decode()


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="no IPv6")
@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("host", ["::", "[::]"])
async def test_an_ipv6_wildcard_serves_both_families(tmp_path: Path, host: str, workers: str) -> None:
    limits = {"enabled": True, "api_rate_limit": {"max_requests": 1, "window_seconds": 600}}
    async with workers_process(tmp_path, "--workers", workers, host=host, rate_limiter=limits) as server:
        await server.greeted()
        banner = "".join(server.lines)
        assert "(all interfaces, IPv4 and IPv6)" in banner
        found = re.search(r"http://localhost:(\d+)", banner)
        assert found is not None
        port = int(found[1])
        if workers == "1":
            # IPv4 peers are themselves, and not all one network of IPv6.
            assert [status(port, peer) for peer in ("127.0.0.1", "127.0.0.2", "::1")] == [404, 404, 404]
            assert [status(port, peer) for peer in ("127.0.0.1", "127.0.0.2", "::1")] == [429, 429, 429]
        else:
            assert {status(port, "127.0.0.1"), status(port, "::1")} == {404}
        server.send(signal.SIGTERM)
        assert await server.ended() == 0


def status(port: int, peer: str) -> int:
    """Ask from an address of this machine; return the status of the answer."""
    host = "::1" if ":" in peer else "127.0.0.1"
    with socket.create_connection((host, port), WAIT, source_address=(peer, 0)) as asking:
        asking.sendall(b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = asking.makefile("rb").readline()
    return int(answer.split()[1])
