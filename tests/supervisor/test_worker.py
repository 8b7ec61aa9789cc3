"""A worker's side of the line to its supervisor."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import tempfile
from pathlib import Path

import pytest

from sockudo.bus.workers.adapter import IpcAdapter
from sockudo.supervisor.orders import LINGER, WORKER_VARIABLE
from sockudo.supervisor.stopping import Stopping
from sockudo.supervisor.worker import Worker
from tests.fakes.inbox import RecordingInbox


def pair(directory: Path = Path("/nowhere")) -> tuple[Worker, socket.socket]:
    """A worker and the supervisor's end of the line."""
    ours, theirs = socket.socketpair()
    return Worker(index=1, serial=7, directory=directory, sockets=(), control=theirs, counts=-1), ours


def test_a_process_without_the_variable_is_no_worker() -> None:
    assert Worker.from_environment({"PATH": "/bin"}) is None


def test_what_the_supervisor_gave_is_taken_once() -> None:
    ours, theirs = socket.socketpair()
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    given = {
        "index": 2,
        "serial": 9,
        "directory": "/d",
        "sockets": [listening.fileno()],
        "control": theirs.fileno(),
        "counts": 5,
    }
    environ = {WORKER_VARIABLE: json.dumps(given)}
    worker = Worker.from_environment(environ)
    assert worker is not None
    assert environ == {}
    assert (worker.index, worker.serial, worker.directory, worker.counts) == (2, 9, Path("/d"), 5)
    assert worker.sockets[0].getsockname() == listening.getsockname()
    worker.ready()
    worker.failed("a\nb")
    assert ours.recv(1000) == b'ready\nfailed "a\\nb"\n'
    ours.close()
    # The objects stand for the same descriptors.
    worker.sockets[0].detach()
    worker.control.detach()
    listening.close()
    theirs.close()


@pytest.mark.parametrize(
    ("said", "hurried", "linger", "reason"),
    [
        (b"drain\n", False, 0.0, "stopped by the supervisor"),
        (b"retire\n", False, LINGER, "replaced"),
        (b"hurry\n", True, 0.0, "stopped by the supervisor"),
        (b"something new\ndrain\nhurry\n", True, 0.0, "stopped by the supervisor"),
        (None, False, 0.0, "the supervisor is gone"),
    ],
)
async def test_it_does_what_the_supervisor_says(said: bytes | None, hurried: bool, linger: float, reason: str) -> None:
    worker, supervisor = pair()
    stopping = Stopping()
    await worker.follow(stopping, lambda: None)
    if said is not None:
        for place in range(len(said)):
            supervisor.sendall(said[place : place + 1])
            await asyncio.sleep(0)
        await asyncio.wait_for(stopping.hurried() if hurried else stopping.asked(), 5)
    else:
        supervisor.close()
        await asyncio.wait_for(stopping.asked(), 5)
    assert (stopping.reason, stopping.linger) == (reason, linger)
    supervisor.close()
    worker.control.close()


def test_a_supervisor_that_is_gone_is_not_told() -> None:
    worker, supervisor = pair()
    supervisor.close()
    worker.ready()
    worker.failed("too late")
    worker.control.close()


async def test_its_place_on_the_bus_is_its_serial() -> None:
    with tempfile.TemporaryDirectory(prefix="ipc-") as directory:
        worker, supervisor = pair(Path(directory))
        adapter = worker.adapter()
        assert isinstance(adapter, IpcAdapter)
        await adapter.start(RecordingInbox())
        assert os.listdir(directory) == ["7.sock"]
        await adapter.aclose()
    supervisor.close()
    worker.control.close()


def test_the_last_one_out_removes_the_directory(tmp_path: Path) -> None:
    directory = tmp_path / "bus"
    directory.mkdir()
    (directory / "8.sock").touch()
    worker, supervisor = pair(directory)
    worker.tidy()
    assert directory.exists()
    (directory / "8.sock").unlink()
    worker.tidy()
    assert not directory.exists()
    supervisor.close()
    worker.control.close()
