"""The server tells a service manager when it serves, replaces its workers, and leaves."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from contextlib import closing
from pathlib import Path

import pytest

from sockudo.supervisor.service_manager import ServiceManager
from tests.clients.client import http
from tests.servers.ports import free_port
from tests.servers.service_manager import service

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="systemd runs on Linux")


@pytest.mark.parametrize("workers", [1, 2])
async def test_the_manager_hears_when_clients_are_served_and_no_longer(tmp_path: Path, workers: int) -> None:
    port = free_port()
    async with service(tmp_path, port=port, workers=workers) as running:
        await running.says("READY=1")
        assert (await http(port, "GET", "/up")).status == 200
        assert running.told == ["READY=1"]
        running.send(signal.SIGTERM)
        await running.says("STOPPING=1")
        assert await running.ended() == 0


async def test_the_manager_hears_of_the_replacement_of_workers(tmp_path: Path) -> None:
    async with service(tmp_path, port=free_port(), workers=2) as running:
        await running.says("READY=1")
        running.forget()
        running.send(signal.SIGHUP)
        await running.says("READY=1")
        reloading, ready = running.told
        assert reloading.startswith("RELOADING=1\nMONOTONIC_USEC=")
        assert ready == "READY=1"
        assert await running.ended_orderly() == 0
        assert "workers: all replaced" in running.log


async def test_a_reload_does_not_end_a_server_of_one_process(tmp_path: Path) -> None:
    port = free_port()
    async with service(tmp_path, port=port) as running:
        await running.says("READY=1")
        running.forget()
        running.send(signal.SIGHUP)
        await running.says("READY=1")
        assert running.told[0].startswith("RELOADING=1")
        assert (await http(port, "GET", "/up")).status == 200
        assert await running.ended_orderly() == 0
        assert "reload ignored" in running.log


@pytest.mark.parametrize("workers", [1, 2])
async def test_the_manager_gets_signs_of_life_when_it_asks(tmp_path: Path, workers: int) -> None:
    async with service(tmp_path, port=free_port(), workers=workers, environ={"WATCHDOG_USEC": "200000"}) as running:
        await running.says("READY=1")
        for _ in range(3):
            running.forget()
            await running.says("WATCHDOG=1")


async def test_signs_of_life_are_not_sent_for_another_process(tmp_path: Path) -> None:
    variables = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as line:
        line.setblocking(False)
        line.bind(variables["NOTIFY_SOCKET"])
        ServiceManager.from_environment(variables).ready()
        assert line.recv(100) == b"READY=1"
        with pytest.raises(BlockingIOError):
            line.recv(100)


async def test_a_manager_may_have_a_name_without_a_file() -> None:
    name = f"sockudo-test-{os.getpid()}"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as line:
        line.setblocking(False)
        line.bind(f"\0{name}")
        ServiceManager.from_environment({"NOTIFY_SOCKET": f"@{name}"}).stopping()
        assert line.recv(100) == b"STOPPING=1"


async def test_a_manager_that_is_gone_does_not_stop_the_server(tmp_path: Path) -> None:
    manager = ServiceManager.from_environment({"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "1000000"})
    manager.ready()
    await asyncio.sleep(0)
    manager.stopping()
    manager.close()
