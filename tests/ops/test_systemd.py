"""The units for systemd."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from sockudo.config.model import Settings
from sockudo.supervisor.listening.listeners import BACKLOG
from tests.support.source import ROOT

FOLDER: Final = ROOT / "ops" / "systemd"
# What `systemd-analyze security` calls exposed begins at 50.
MOST_EXPOSED: Final = 20


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
