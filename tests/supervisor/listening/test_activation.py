"""A server listens on the descriptors that a service manager has opened for it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
from contextlib import closing
from pathlib import Path

import pytest

from sockudo.supervisor.listening.activation import ActivationError, take_activated_sockets
from tests.clients.client import ApiClient, PusherClient, http
from tests.servers.ports import free_port
from tests.servers.server import clean_environ, document
from tests.servers.service_manager import WAIT, listening_socket, service

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="systemd runs on Linux")


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def answers(host: str, port: int) -> None:
    """Check that a request is answered, however long the server takes to start."""
    async with asyncio.timeout(WAIT):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /up HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()


async def delivers(port: int) -> None:
    """Check that a client gets an event."""
    async with PusherClient(port) as client:
        await client.subscribe("room")
        await ApiClient(port).trigger("room", "hello")
        await client.expect("event")


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_server_serves_on_every_socket_it_is_given(tmp_path: Path, workers: int) -> None:
    with listening_socket() as one, listening_socket("127.0.0.2") as other:
        port = one.getsockname()[1]
        # The port of the settings is taken: a server that opened it itself would fail.
        async with service(tmp_path, [one, other], workers=workers, port=port) as running:
            await running.says("READY=1")
            await delivers(port)
            await answers(*other.getsockname())


@pytest.mark.parametrize("workers", [1, 2])
async def test_no_connection_is_refused_while_the_service_restarts(tmp_path: Path, workers: int) -> None:
    with listening_socket() as given:
        port = given.getsockname()[1]
        async with service(tmp_path, [given], workers=workers) as running:
            await running.says("READY=1")
            running.send(signal.SIGTERM)
            assert await running.ended() == 0
        # Nobody runs now, and the connection is made all the same.
        waiting = asyncio.create_task(answers("127.0.0.1", port))
        async with service(tmp_path, [given], workers=workers) as running:
            await running.says("READY=1")
            await waiting


async def test_a_worker_that_dies_leaves_the_shared_socket_to_others(tmp_path: Path) -> None:
    with listening_socket() as given:
        async with service(tmp_path, [given], workers=2) as running:
            await running.says("READY=1")
            os.kill(children(running.process.pid)[0], signal.SIGKILL)
            for _ in range(20):
                assert (await http(given.getsockname()[1], "GET", "/up")).status == 200


async def test_sockets_that_are_meant_for_another_process_are_ignored(tmp_path: Path) -> None:
    port = free_port()
    async with service(tmp_path, environ={"LISTEN_PID": "1", "LISTEN_FDS": "1"}, port=port) as running:
        await running.says("READY=1")
        await answers("127.0.0.1", port)


def unbound() -> socket.socket:
    return socket.socket()


def of_unix() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)


def of_datagrams() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (unbound, "descriptor 3 of LISTEN_FDS does not listen: set Accept=no"),
        (of_unix, "descriptor 3 of LISTEN_FDS is no TCP socket: set ListenStream to a port"),
        (of_datagrams, "descriptor 3 of LISTEN_FDS is no TCP socket: set ListenStream to a port"),
    ],
)
async def test_a_descriptor_that_cannot_serve_ends_the_start(tmp_path: Path, make: object, problem: str) -> None:
    assert callable(make)
    with closing(make()) as given:
        async with service(tmp_path, [given]) as running:
            assert await running.ended() == 2
            assert f"The server cannot start: {problem}" in running.log


async def test_a_supervisor_takes_no_descriptor_that_cannot_serve(tmp_path: Path) -> None:
    with closing(unbound()) as given:
        async with service(tmp_path, [given], workers=2) as running:
            assert await running.ended() == 2
            assert "The server cannot start: descriptor 3 of LISTEN_FDS does not listen" in running.log


async def test_a_descriptor_that_is_not_open_ends_the_start(tmp_path: Path) -> None:
    async with service(tmp_path, environ={"LISTEN_FDS": "1"}) as running:
        assert await running.ended() == 2
        assert "descriptor 3 of LISTEN_FDS is no socket" in running.log


@pytest.mark.parametrize(
    "given", [{"LISTEN_PID": "x", "LISTEN_FDS": "1"}, {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "²"}]
)
def test_a_variable_that_is_no_number_is_an_error(given: dict[str, str]) -> None:
    with pytest.raises(ActivationError, match="a service manager sets a number"):
        take_activated_sockets(given)


def test_the_variables_are_taken_once() -> None:
    given = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "0", "LISTEN_FDNAMES": ""}
    assert take_activated_sockets(given) == ()
    assert given == {}


async def test_the_tool_of_systemd_activates_the_server(tmp_path: Path) -> None:
    tool = shutil.which("systemd-socket-activate")
    if tool is None:
        pytest.skip("systemd-socket-activate is not installed")
    port = free_port()
    (tmp_path / "config.json").write_text(json.dumps(document()))
    process = await asyncio.create_subprocess_exec(
        *(tool, "--listen", f"127.0.0.1:{port}", "--setenv", f"PYTHONPATH={clean_environ()['PYTHONPATH']}"),
        *(sys.executable, "-m", "sockudo", "serve", "--config", "config.json"),
        cwd=tmp_path,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        # It starts the server when somebody connects.
        assert b"Listening" in await asyncio.wait_for(process.stderr.readline(), WAIT)
        await answers("127.0.0.1", port)
    finally:
        process.terminate()
        await process.communicate()
