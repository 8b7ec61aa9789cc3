"""The units for systemd."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from sockudo.config.model import Settings
from sockudo.supervisor.listening.listeners import BACKLOG
from tests.clients.client import PusherClient
from tests.servers.server import clean_environ, document
from tests.servers.workers import WorkersProcess
from tests.support.source import ROOT

FOLDER: Final = ROOT / "ops" / "systemd"
# What `systemd-analyze security` calls exposed begins at 50.
MOST_EXPOSED: Final = 20
SERVICE_DROP_IN: Final = "sockudo.service.d/low-ports.conf"
SOCKET_DROP_IN: Final = "sockudo.socket.d/https.conf"
FIRST_UNPRIVILEGED: Final = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


def values(unit: str) -> dict[str, str]:
    """Return the last value of each setting of a unit."""
    lines = (FOLDER / unit).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


@pytest.fixture
def units(tmp_path: Path) -> list[str]:
    """The units, for a server that is where this Python is."""
    installed = Path(sys.executable).with_name("sockudo")
    for unit in ("sockudo.service", "sockudo.socket"):
        text = (FOLDER / unit).read_text().replace("/opt/sockudo/bin/sockudo", str(installed))
        (tmp_path / unit).write_text(text)
    return [str(tmp_path / "sockudo.service"), str(tmp_path / "sockudo.socket")]


def analyze(*arguments: str) -> str:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed")
    done = subprocess.run([tool, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr


def test_systemd_finds_nothing_wrong_with_the_units(units: list[str]) -> None:
    assert analyze("verify", *units) == ""


@pytest.fixture
def units_with_drop_ins(units: list[str], tmp_path: Path) -> list[str]:
    for name in (SERVICE_DROP_IN, SOCKET_DROP_IN):
        (tmp_path / name).parent.mkdir()
        shutil.copy(FOLDER / name, tmp_path / name)
    return units


def test_systemd_finds_nothing_wrong_with_the_drop_ins(units_with_drop_ins: list[str], tmp_path: Path) -> None:
    assert analyze("verify", *units_with_drop_ins) == ""
    # It does read them.
    with (tmp_path / SERVICE_DROP_IN).open("a") as drop_in:
        drop_in.write("NoSuchKey=1\n")
    assert "NoSuchKey" in analyze("verify", *units_with_drop_ins)


def test_low_ports_make_the_service_little_more_exposed(units_with_drop_ins: list[str]) -> None:
    analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED + 5}", "--no-pager", units_with_drop_ins[0])


def test_only_the_drop_in_lets_the_service_open_low_ports() -> None:
    service, drop_in = values("sockudo.service"), values(SERVICE_DROP_IN)
    assert (service["CapabilityBoundingSet"], service["AmbientCapabilities"]) == ("", "")
    assert drop_in == {
        "CapabilityBoundingSet": "CAP_NET_BIND_SERVICE",
        "AmbientCapabilities": "CAP_NET_BIND_SERVICE",
        # Capabilities of a user namespace count for nothing that belongs to the machine.
        "PrivateUsers": "no",
    }
    lines = (FOLDER / SOCKET_DROP_IN).read_text().splitlines()
    assert lines[-2:] == ["ListenStream=", "ListenStream=443"]


def free_low_port() -> int:
    while True:
        port = random.SystemRandom().randrange(600, 1024)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@contextlib.asynccontextmanager
async def started_with(rights: Mapping[str, str], folder: Path, port: int) -> AsyncIterator[WorkersProcess]:
    """Start two workers with the capabilities that a unit gives, for a user without any others."""
    config = folder / "config.json"
    config.write_text(json.dumps(document(port=port)))
    capability = rights["CapabilityBoundingSet"].removeprefix("CAP_").lower()
    given = f"-all,+{capability}" if capability else "-all"
    ambient = f"+{rights['AmbientCapabilities'].removeprefix('CAP_').lower()}" if capability else "-all"
    process = await asyncio.create_subprocess_exec(
        *("setpriv", "--no-new-privs", "--securebits", "+noroot", "--bounding-set", given),
        *("--inh-caps", given, "--ambient-caps", ambient),
        *(sys.executable, "-m", "sockudo", "serve", "--config", str(config), "--workers", "2"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        env={**clean_environ(), "PYTHONUNBUFFERED": "1", "LOG_OUTPUT_FORMAT": "json"},
    )
    server = WorkersProcess(process)
    try:
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await server.ended()


async def test_a_server_with_these_rights_alone_opens_low_ports(tmp_path: Path) -> None:
    if shutil.which("setpriv") is None or os.geteuid() != 0:
        pytest.skip("only root with setpriv can take capabilities away")
    port = free_low_port()
    async with started_with(values(SERVICE_DROP_IN), tmp_path, port) as server:
        await server.greeted()
        async with PusherClient(port):
            pass
    if int(FIRST_UNPRIVILEGED.read_text()) > port:
        async with started_with(values("sockudo.service"), tmp_path, port) as server:
            assert await server.ended() == 2
            assert any("port" in line for line in server.lines)


def test_the_service_may_do_little(units: list[str]) -> None:
    analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", "--no-pager", units[0])


def test_systemd_waits_longer_than_the_server_takes_to_leave() -> None:
    grace = Settings().shutdown_grace_period
    assert int(values("sockudo.service")["TimeoutStopSec"]) >= grace + 15


def test_the_service_gets_its_port_from_the_socket() -> None:
    service, socket = values("sockudo.service"), values("sockudo.socket")
    assert service["Requires"] == "sockudo.socket"
    assert service["Type"] == "notify"
    assert socket["ListenStream"] == str(Settings().port)
    assert socket["Accept"] == "no"
    assert int(socket["Backlog"]) == BACKLOG


def test_the_page_shows_the_units_that_are_shipped() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    assert "ops/systemd/sockudo.service" in page
    assert "ops/systemd/sockudo.socket" in page
    assert f"ops/systemd/{SERVICE_DROP_IN}" in page
    assert f"ops/systemd/{SOCKET_DROP_IN}" in page
