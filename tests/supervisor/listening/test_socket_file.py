"""A unix socket in place of a port: who may use it, whose it may replace, and that it is removed."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockudo.config.sections.unix_socket import UnixSocketSettings
from sockudo.supervisor.listening import socket_file
from sockudo.supervisor.listening.socket_file import SocketFile, SocketFileError, socket_file_of
from tests.clients.doors import UnixClient, answer, get
from tests.servers.server import server_process
from tests.servers.service_manager import listening_socket, service
from tests.servers.workers import workers_process
from tests.support.log_lines import LogFile

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such sockets")
is_root = pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made" / "for" / "it" / "s.sock"


@contextlib.contextmanager
def listening(path: Path, mode: int = 0o660, owner: str | None = None) -> Iterator[SocketFile]:
    file = SocketFile(str(path), mode, owner)
    made = file.listen()
    try:
        yield file
    finally:
        made.close()
        file.remove()


def problem(path: Path, owner: str | None = None) -> str:
    with pytest.raises(SocketFileError) as caught:
        SocketFile(str(path), 0o660, owner).listen()
    return str(caught.value)


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666, 0o777, 0])
def test_the_socket_has_the_mode_whatever_the_umask(path: Path, mode: int) -> None:
    before = os.umask(0o077)
    try:
        with listening(path, mode):
            assert stat.S_IMODE(path.stat().st_mode) == mode
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(before)


def test_missing_folders_are_made_for_everybody_to_pass(path: Path) -> None:
    before = os.umask(0o077)
    try:
        with listening(path):
            made = [path.parent, path.parent.parent, path.parent.parent.parent]
            assert [stat.S_IMODE(folder.stat().st_mode) for folder in made] == [0o755] * 3
    finally:
        os.umask(before)


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    with listening(folder / "s.sock"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_socket_is_removed_at_the_end(path: Path) -> None:
    with listening(path):
        assert path.is_socket()
    assert not path.exists()


def test_the_socket_of_a_server_that_died_is_replaced(path: Path) -> None:
    made = SocketFile(str(path), 0o660).listen()
    made.close()
    assert path.is_socket()
    with listening(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_the_socket_of_a_living_server_is_left_alone(path: Path) -> None:
    with listening(path):
        before = path.stat().st_ino
        assert problem(path) == f"it cannot listen on {path} (unix_socket.path): another server listens on it"
        assert path.stat().st_ino == before
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


def test_a_server_whose_queue_is_full_is_alive(path: Path) -> None:
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as busy, contextlib.ExitStack() as clients:
        busy.bind(str(path))
        busy.listen(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                client = clients.enter_context(socket.socket(socket.AF_UNIX))
                client.setblocking(False)
                client.connect(str(path))
        assert "there is a socket, and it does not say whether a server listens on it" in problem(path)
    assert path.is_socket()


@pytest.mark.parametrize("kind", ["file", "folder", "link", "pipe"])
def test_a_file_that_is_no_socket_is_left_alone(path: Path, kind: str) -> None:
    path.parent.mkdir(parents=True)
    if kind == "file":
        path.write_text("mine")
    elif kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to("/dev/null")
    else:
        os.mkfifo(path)
    assert "there is a file that is no socket" in problem(path)
    assert path.exists()


def test_the_socket_of_a_successor_is_not_removed(path: Path) -> None:
    first = SocketFile(str(path), 0o660)
    first.listen().close()
    with listening(path):
        first.remove()
        assert path.is_socket()


def test_a_path_that_is_too_long_names_the_setting(tmp_path: Path) -> None:
    assert "(unix_socket.path): AF_UNIX path too long" in problem(tmp_path / ("s" * 120))


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "(unix_socket.path): " in problem(tmp_path / "file" / "s.sock")


@is_root
@pytest.mark.parametrize(
    ("owner", "numbers"),
    [("nobody", (65534, 0)), ("daemon:nogroup", (1, 65534)), (":daemon", (0, 1)), ("4711:4712", (4711, 4712))],
)
def test_the_socket_is_given_to_its_owner(path: Path, owner: str, numbers: tuple[int, int]) -> None:
    with listening(path, 0o640, owner):
        found = path.stat()
        assert (found.st_uid, found.st_gid) == numbers
        assert stat.S_IMODE(found.st_mode) == 0o640


@pytest.mark.parametrize("owner", ["no-such-user", "root:no-such-group"])
def test_an_owner_that_does_not_exist_names_the_setting(path: Path, owner: str) -> None:
    assert "(unix_socket.owner): " in problem(path, owner)
    assert not path.exists()


# With real servers


async def ask(path: Path) -> int:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(get())
    found = await answer((reader, writer))
    writer.close()
    return found.status


def settings(path: Path) -> dict[str, Any]:
    return {"unix_socket": {"enabled": True, "path": str(path), "permission_mode": "600"}}


def exists(path: Path) -> bool:
    return path.exists()


def status(path: Path) -> os.stat_result:
    return path.stat()


async def test_one_process_serves_on_the_socket_and_removes_it(tmp_path: Path, path: Path) -> None:
    with server_process(tmp_path, **settings(path)) as server:
        assert await ask(path) == 200
        async with UnixClient(path) as client:
            await client.subscribe("news")
            server.send_signal()
            assert (await client.expect_end())[0] == 4200
        assert await server.exit_status() == 0
    assert not exists(path)
    assert "curl --unix-socket" in LogFile(tmp_path).text


@is_root
async def test_a_server_gives_its_socket_the_owner_and_mode(tmp_path: Path, path: Path) -> None:
    asked = {"enabled": True, "path": str(path), "permission_mode": "640", "owner": "nobody:daemon"}
    with server_process(tmp_path, unix_socket=asked):
        assert await ask(path) == 200
        found = status(path)
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (65534, 1, 0o640)


async def test_workers_share_the_socket_while_they_are_replaced(tmp_path: Path, path: Path) -> None:
    async with workers_process(tmp_path, "--workers", "2", **settings(path)) as server:
        await server.greeted()
        inode = status(path).st_ino
        problems, is_over = [], asyncio.Event()

        async def keep_asking() -> None:
            while not is_over.is_set():
                try:
                    assert await ask(path) == 200
                except (OSError, AssertionError, ValueError) as error:
                    problems.append(repr(error))

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_asking())
            server.send(signal.SIGHUP)
            await server.logged("workers: all replaced")
            is_over.set()
        assert problems == []
        async with UnixClient(path) as client:
            await client.subscribe("news")
        assert (status(path).st_ino, stat.S_IMODE(status(path).st_mode)) == (inode, 0o600)
        # A worker that dies leaves it too.
        os.kill(server.events("worker replaced")[0]["pid"], signal.SIGKILL)
        await server.logged("worker died")
        assert await ask(path) == 200
        server.send(signal.SIGTERM)
        assert await server.ended() == 0
    assert not exists(path)


def test_a_folder_that_stays_locked_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_file, "_LOCK_SECONDS", 0.1)
    path.parent.mkdir(parents=True)
    other = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert "another process holds a lock on this folder" in problem(path)
    finally:
        os.close(other)


@pytest.mark.parametrize("workers", [1, 2])
async def test_tcp_sockets_that_are_given_do_not_stand_for_it(tmp_path: Path, path: Path, workers: int) -> None:
    unix = {"enabled": True, "path": str(path)}
    with listening_socket() as given:
        async with service(tmp_path, [given], workers=workers, unix_socket=unix) as running:
            assert await running.ended() == 2
            assert "unix_socket.enabled" in running.log


def test_settings_ask_for_a_unix_socket_only_explicitly(tmp_path: Path) -> None:
    section = UnixSocketSettings(enabled=True, path=str(tmp_path / "s.sock"), permission_mode="640")
    file = socket_file_of(section)
    assert file is not None
    with file.listen():
        assert stat.S_IMODE(os.stat(file.path).st_mode) == 0o640
    file.remove()
    assert socket_file_of(UnixSocketSettings(path=section.path)) is None
