from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from sockudo.supervisor import open_files
from tests.clients.attack import until
from tests.clients.client import PusherClient, http
from tests.servers.server import server_process
from tests.servers.workers import SOURCES


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    # In a process of its own: the limit cannot be restored above what it becomes here.
    code = (
        "import resource; from sockudo.supervisor.open_files import raise_limit;"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1];"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard));"
        "raise_limit(); assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)"
    )
    if sysconfig.get_platform().startswith("win"):
        pytest.skip("no such limits")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


@pytest.mark.parametrize("error", [OSError(), ValueError()])
def test_a_limit_that_cannot_be_raised_stays(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(*_: Any) -> None:
        raise error

    fake = SimpleNamespace(RLIMIT_NOFILE=7, getrlimit=lambda _: (256, 1024), setrlimit=refuse)
    monkeypatch.setattr(open_files, "resource", fake)
    open_files.raise_limit()


def test_a_platform_without_limits_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_files, "resource", None)
    open_files.raise_limit()


@pytest.mark.parametrize(("files", "sockets"), [(1024, 960), (200_000, 199_936), (128, 64), (80, 40), (1, 0)])
def test_some_files_are_kept_for_other_things(files: int, sockets: int) -> None:
    assert open_files.room_for_sockets(files) == sockets


@pytest.mark.parametrize("limit", [-1, None])
def test_without_a_limit_there_is_always_room(monkeypatch: pytest.MonkeyPatch, limit: int | None) -> None:
    fake = SimpleNamespace(RLIMIT_NOFILE=7, RLIM_INFINITY=-1, getrlimit=lambda _: (limit, limit))
    monkeypatch.setattr(open_files, "resource", None if limit is None else fake)
    assert open_files.SocketRoom().most == sys.maxsize


def test_the_log_says_when_room_ends_and_returns() -> None:
    room = open_files.SocketRoom()
    with capture_logs() as lines:
        room.look()
        for _ in range(15):
            room.refused += 10
            room.look()
        room.look()
        room.look()
    assert [(line["event"].partition(";")[0], line["refused"]) for line in lines] == [
        ("open files: no room for more connections, which are closed", 10),
        ("open files: no room for more connections, which are closed", 110),
        ("open files: room for connections again", 150),
    ]


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE])
def test_files_that_others_have_taken_are_noticed(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refuse() -> None:
        raise OSError(code, "Too many open files")

    room = open_files.SocketRoom()
    with capture_logs() as lines:
        monkeypatch.setattr("socket.socket", refuse)
        room.look()
        monkeypatch.undo()
        room.look()
    assert [line.get("exhausted") for line in lines] == [True, None]


async def test_a_server_without_room_turns_clients_away_and_says_so(tmp_path: Path) -> None:
    async with asyncio.timeout(60):
        await _fill(tmp_path)


async def _fill(folder: Path) -> None:
    limited = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))"
    (folder / "sitecustomize.py").write_text(limited)
    path = os.pathsep.join([str(folder), SOURCES])
    with server_process(folder, environ={"PYTHONPATH": path}) as server:
        log = folder / "server.log"
        async with PusherClient(server.port) as witness:
            held = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(49)]
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"room for 50 connections" in answer
            writer.close()
            await until(lambda: '"open files: no room' in log.read_text())
            for _, open_writer in held:
                open_writer.close()
            await until(lambda: '"open files: room for connections again"' in log.read_text())
            assert (await http(server.port, "GET", "/up")).status == 200
            await witness.expect_nothing()
        assert '"refused": 1' in log.read_text()
        assert server.stop() == 0


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="the limits of another process cannot be set")
async def test_a_process_without_files_lives_on_and_says_so(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        log, pid = tmp_path / "server.log", server.process.pid
        async with PusherClient(server.port) as witness:
            used = len(os.listdir(f"/proc/{pid}/fd"))
            _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, hard))
            for _ in range(20):
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
                    writer.close()
            await until(lambda: '"exhausted": true' in log.read_text())
            before = cpu_seconds(pid)
            await asyncio.gather(witness.expect_nothing(), asyncio.sleep(1))
            # The loop does not go round and round for a connection that it cannot accept.
            assert cpu_seconds(pid) - before < 0.5
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
            await until(lambda: '"open files: room for connections again"' in log.read_text())
            assert (await http(server.port, "GET", "/up")).status == 200
        assert server.stop() == 0


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
