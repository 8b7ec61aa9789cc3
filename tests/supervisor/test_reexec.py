"""How the command becomes the supervisor: as the same process, with open sockets, and small."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sockudo import log
from sockudo.supervisor.listening.listeners import ListenError
from sockudo.supervisor.reexec import Plan, become_supervisor
from tests.clients.client import http
from tests.servers.ports import free_port
from tests.servers.server import SECRET, document
from tests.servers.workers import SOURCES, WorkersProcess, process_name, workers_process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

WAIT = 60.0

# Python runs it in every process; the supervisor's modules are written when it ends.
LIST_MODULES = """
import atexit, json, os, sys
if "_SOCKUDO_SUPERVISOR" in os.environ:
    atexit.register(lambda: open("modules.json", "w").write(json.dumps(sorted(sys.modules))))
"""
SCRIPT = """#!{python}
import sys
from sockudo.__main__ import main
if __name__ == "__main__":
    sys.exit(main())
"""


@contextlib.asynccontextmanager
async def started(folder: Path, *command: str, port: int = 0) -> AsyncIterator[WorkersProcess]:
    """Run a command that serves with two workers, and lists the modules of the supervisor when it ends."""
    (folder / "sitecustomize.py").write_text(LIST_MODULES)
    (folder / "config.json").write_text(json.dumps(document(port=port, workers=2)))
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        env={**kept, "PYTHONPATH": os.pathsep.join([str(folder), SOURCES]), "LOG_OUTPUT_FORMAT": "json"},
    )
    server = WorkersProcess(process)
    try:
        yield server
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await server.ended()


def foreign_modules(folder: Path) -> set[str]:
    """What the supervisor had imported from outside the standard library, but for sockudo itself."""
    names = {name.partition(".")[0] for name in json.loads((folder / "modules.json").read_text())}
    # Setuptools has a file of its own that Python runs at its start, where it is installed.
    return names - sys.stdlib_module_names - {"__main__", "_distutils_hack", "sitecustomize", "sockudo"}


def foreign_to(process: Path) -> set[str]:
    """The files of compiled modules of other projects that a process has mapped."""
    return set(re.findall(r"\S*/site-packages/\S+", (process / "maps").read_text()))


def private_memory(pid: int) -> int:
    """The kilobytes that a process shares with no other."""
    figures = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(size) for size in re.findall(r"^Private_(?:Clean|Dirty): +(\d+)", figures, re.MULTILINE))


def open_files(pid: int) -> list[str]:
    """What the descriptors of a process stand for."""
    folder = f"/proc/{pid}/fd"
    return [os.readlink(f"{folder}/{number}") for number in sorted(os.listdir(folder), key=int)]


def memory(pid: int, kind: str) -> int:
    """The kilobytes of a process: `Rss` with all that it shares, `Pss` with its part of that."""
    found = re.search(rf"^{kind}: +(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def commands(folder: Path) -> dict[str, list[str]]:
    script = folder / "sockudo"
    script.write_text(SCRIPT.format(python=sys.executable))
    script.chmod(0o700)
    return {
        "module": [sys.executable, "-m", "sockudo"],
        "options of Python": [sys.executable, "-X", "utf8", "-W", "error", "-B", "-m", "sockudo"],
        "script": [str(script)],
        "code": [sys.executable, "-c", "from sockudo.__main__ import main; main()"],
    }


@pytest.mark.parametrize("kind", ["module", "options of Python", "script", "code"])
async def test_a_supervisor_imports_the_standard_library_alone(tmp_path: Path, kind: str) -> None:
    command = [*commands(tmp_path)[kind], "serve", "--config", "config.json"]
    async with started(tmp_path, *command) as server:
        await server.greeted()
        assert (await http(server.port, "GET", "/up")).status == 200
        assert foreign_to(Path(f"/proc/{server.process.pid}")) == set()
        server.send(signal.SIGTERM)
        assert await server.ended() == 0
    assert foreign_modules(tmp_path) == set()


async def test_a_supervisor_takes_half_of_a_workers_memory_at_most(tmp_path: Path) -> None:
    async with workers_process(tmp_path, workers=2) as server:
        await server.greeted()
        supervisor, workers = server.process.pid, server.pids
        assert private_memory(supervisor) <= min(private_memory(pid) for pid in workers) / 2
        for kind in ("Rss", "Pss"):
            assert memory(supervisor, kind) <= min(memory(pid, kind) for pid in workers) / 2


async def test_a_supervisor_shows_the_command_and_no_secret(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sockudo", "serve", "--config", "config.json"]
    async with started(tmp_path, *command) as server:
        await server.greeted()
        process = Path(f"/proc/{server.process.pid}")
        assert (process / "cmdline").read_text().rstrip("\0").split("\0") == command
        assert SECRET not in (process / "environ").read_text()
        assert process_name(server.process.pid) == "sockudo"


async def test_its_task_is_in_no_file_that_others_find(tmp_path: Path) -> None:
    async with workers_process(tmp_path, workers=2, environ={"TMPDIR": str(tmp_path)}) as server:
        await server.greeted()
        (name,) = (name for name in os.listdir(tmp_path) if name.startswith("sockudo-"))
        directory = tmp_path / name
        assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700
        assert sorted(os.listdir(directory)) == ["0.sock", "1.sock"]
        shown = open_files(server.process.pid)
        assert not any("memfd:sockudo " in file or str(tmp_path) in file for file in shown)
        server.send(signal.SIGTERM)
        assert await server.ended() == 0
    assert name not in os.listdir(tmp_path)


@pytest.fixture
def early() -> Iterator[socket.socket]:
    """A client that connects as soon as anything listens."""
    with socket.socket() as client:
        client.settimeout(WAIT)
        yield client


async def connected(client: socket.socket, port: int, server: WorkersProcess) -> None:
    """Connect in the first moment in which that is possible; afterwards nobody is refused."""
    for _ in range(6000):
        if client.connect_ex(("127.0.0.1", port)) == 0:
            return
        assert server.process.returncode is None
        await asyncio.sleep(0.005)
    raise AssertionError("nothing listens")


async def test_a_client_that_comes_early_waits_and_is_answered(tmp_path: Path, early: socket.socket) -> None:
    port = free_port()
    async with started(tmp_path, sys.executable, "-m", "sockudo", "-c", "config.json", port=port) as server:
        await connected(early, port, server)
        early.sendall(b"GET /up HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        while not any("Try next" in line for line in server.lines):
            # Nobody is refused from now on, whatever the process becomes.
            with socket.create_connection(("127.0.0.1", port), WAIT):
                await asyncio.sleep(0.01)
        answer = await asyncio.to_thread(early.recv, 100)
        assert answer.startswith(b"HTTP/1.1 200")


async def test_signals_wait_while_the_command_becomes_the_supervisor(tmp_path: Path, early: socket.socket) -> None:
    port = free_port()
    async with started(tmp_path, sys.executable, "-m", "sockudo", "-c", "config.json", port=port) as server:
        await connected(early, port, server)
        # A hang-up ends a process that does not expect it.
        server.send(signal.SIGHUP)
        await server.logged("workers: all replaced")
        await server.greeted()
        server.send(signal.SIGTERM)
        assert await server.ended() == 0


async def test_a_stop_while_the_command_becomes_the_supervisor_is_orderly(tmp_path: Path, early: socket.socket) -> None:
    port = free_port()
    async with started(tmp_path, sys.executable, "-m", "sockudo", "-c", "config.json", port=port) as server:
        await connected(early, port, server)
        server.send(signal.SIGTERM)
        assert await server.ended() == 0
        (stopped,) = server.events("supervisor stopping")
        assert stopped["reason"] == "SIGTERM"


async def is_up(port: int) -> bool:
    """Whether a worker answers."""
    try:
        return (await http(port, "GET", "/up")).status == 200
    except OSError:
        return False


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&- 2>&-"])
async def test_a_closed_standard_stream_is_not_taken_for_a_socket(tmp_path: Path, closed: str) -> None:
    port = free_port()
    (tmp_path / "config.json").write_text(json.dumps(document(port=port, workers=2)))
    process = await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", f'exec "$0" -m sockudo --config config.json {closed}', sys.executable),
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": SOURCES},
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(WAIT):
            while not await is_up(port):
                assert process.returncode is None
                await asyncio.sleep(0.02)
        assert not any(file.startswith(("socket:", "/memfd")) for file in open_files(process.pid)[:3])
    finally:
        process.terminate()
    assert await asyncio.wait_for(process.wait(), WAIT) == 0


def plan(port: int, command: list[str]) -> Plan:
    return Plan("127.0.0.1", port, 2, True, 1.0, command, {}, {})


def test_a_command_that_cannot_run_again_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    log.configure(output_format="json", plain=True)
    port = free_port()

    def greeting(_: object) -> str:
        log.get_logger("sockudo.server").warning("listen address skipped")
        return ""

    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with pytest.raises(FileNotFoundError):
        become_supervisor(plan(port, [str(tmp_path / "nowhere")]), greeting)
    assert list(tmp_path.iterdir()) == []
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask
    with socket.create_server(("127.0.0.1", port)):
        log.flush()
    # What was kept for the supervisor is not lost.
    assert "listen address skipped" in capsys.readouterr().out


def test_a_taken_address_is_told_before_anything_is_done() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ListenError):
        become_supervisor(plan(taken.getsockname()[1], ["/nowhere"]), lambda _: "")
