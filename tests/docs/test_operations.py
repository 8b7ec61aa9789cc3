"""What docs/operations.md tells operators to do works as told."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import yaml

from tests.package.build import build
from tests.servers.ports import free_port
from tests.servers.processes import program, wait_until
from tests.servers.redis_server import RedisProcess
from tests.support.pages import code_blocks, section
from tests.support.source import ROOT

PAGE: Final = ROOT / "docs" / "operations.md"
KERNEL: Final = ROOT / "ops" / "sysctl" / "sockudo.conf"
RULES: Final = ROOT / "ops" / "prometheus"
# What a command of the page begins with -> why no test runs its block. The page says so beside each.
LEFT_OUT: Final = {
    "systemd-sysusers": "needs systemd as the first process",
    "docker build": "needs a Docker daemon",
    "kubectl create": "needs a cluster",
}


@dataclass
class Machine:
    """An empty machine below a folder, on which the steps of the page were taken."""

    root: Path
    port: int
    wheel: Path

    def run(self, block: str) -> str:
        """Run a block as somebody would who copies it, and return what it prints."""
        text = block.replace("/opt/sockudo", f"{self.root}/opt").replace("/etc/sockudo", f"{self.root}/etc")
        text = text.replace("127.0.0.1:6001", f"127.0.0.1:{self.port}")
        # The package of this checkout; what it needs is here already.
        text = text.replace("--only-binary :all: 'sockudo[redis]'", f"--quiet --no-index --no-deps {self.wheel}")
        text = text.replace("systemctl reload sockudo", "true")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.root,
            env=self.environ(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        return done.stdout

    def environ(self) -> dict[str, str]:
        """Return an environment that has nothing but the file with secrets."""
        file = self.root / "etc" / "environment"
        lines = file.read_text().splitlines() if file.exists() else []
        kept = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(self.root)}
        return kept | dict(line.split("=", 1) for line in lines)

    @contextmanager
    def serving(self, port: int) -> Iterator[None]:
        """Run the command of the unit, on a port of its own."""
        unit = (ROOT / "ops" / "systemd" / "sockudo.service").read_text()
        (start,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
        words = start.replace("/opt/sockudo", f"{self.root}/opt").replace("/etc/sockudo", f"{self.root}/etc").split()
        words[words.index("auto")] = "1"
        command = [*words, "--host", "127.0.0.1", "--port", str(port)]
        log = (self.root / f"{port}.log").open("wb")
        with log, subprocess.Popen(command, cwd=self.root, env=self.environ(), stdout=log, stderr=log) as process:
            try:
                wait_until(lambda: _is_ready(port), "the server is ready", within=60)
                yield
            finally:
                process.send_signal(signal.SIGTERM)
                process.send_signal(signal.SIGTERM)


def _is_ready(port: int) -> bool:
    command = [program("curl", "curl"), "--silent", "--fail", f"http://127.0.0.1:{port}/ready"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def blocks(heading: str) -> list[str]:
    """Return the commands below a heading, block by block."""
    return re.findall(r"^```sh\n(.*?)^```$", section(PAGE, heading), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """The machine after the first steps."""
    root = tmp_path_factory.mktemp("machine")
    found = Machine(root, free_port(), build(root / "wheel", "wheel"))
    create, secret, *_ = blocks("## From an empty machine")
    *make, install = create.splitlines()
    found.run("\n".join(make))
    # What the index has beside the package is installed here already.
    (site,) = (root / "opt" / "lib").glob("python*/site-packages")
    (site / "here.pth").write_text(sysconfig.get_path("purelib"))
    found.run(install)
    settings, *_ = code_blocks(PAGE, "toml")
    (root / "etc" / "config.toml").write_text(settings.text)
    found.run(secret)
    return found


def test_the_steps_install_a_server_with_its_own_secret(machine: Machine) -> None:
    file = machine.root / "etc" / "environment"
    assert file.stat().st_mode & 0o077 == 0
    assert re.fullmatch(r"CHAT_SECRET=[0-9a-f]{64}\n", file.read_text())
    shown = machine.run("/opt/sockudo/bin/python -c 'import sockudo; print(sockudo.__file__)'")
    assert shown.startswith(str(machine.root))
    with machine.serving(machine.port):
        assert machine.run(blocks("## From an empty machine")[3]) == "OK"


def test_a_second_node_is_found_with_the_settings_shown(machine: Machine, redis_server: RedisProcess) -> None:
    alone, together = (block.text for block in code_blocks(PAGE, "toml"))
    (machine.root / "etc" / "config.toml").write_text(f"{alone}\n{together}")
    with (machine.root / "etc" / "environment").open("a") as file:
        file.write(f"REDIS_URL={redis_server.url}/0\n")
    with machine.serving(machine.port), machine.serving(free_port()):
        told = machine.run(blocks("## From an empty machine")[4])
        assert told.count(" ms") == 2, told
        (watch,) = blocks("## Figures to watch")
        assert machine.run(watch).startswith("OK")


def test_an_upgrade_takes_the_steps_shown(machine: Machine) -> None:
    (upgrade,) = blocks("## Upgrades")
    machine.run(upgrade)


def test_a_copy_of_a_sqlite_file_has_the_apps(machine: Machine) -> None:
    import sqlite3

    with sqlite3.connect(machine.root / "apps.db") as database:
        database.execute("CREATE TABLE applications (id TEXT)")
        database.execute("INSERT INTO applications VALUES ('chat')")
    database.close()
    (copying,) = blocks("## Backups")
    machine.run(copying)
    copy = sqlite3.connect(machine.root / "apps-backup.db")
    assert copy.execute("SELECT id FROM applications").fetchall() == [("chat",)]
    copy.close()


def test_the_kernel_shows_what_the_page_looks_at(machine: Machine) -> None:
    if shutil.which("sysctl") is None:
        pytest.skip("sysctl is not installed")
    (look,) = blocks("## The kernel")
    told = machine.run(look)
    assert "mem" in told
    assert "ListenOverflows" in told


def test_the_kernel_has_every_setting_of_the_file() -> None:
    names = re.findall(r"^([a-z0-9_.-]+) = ", KERNEL.read_text(), re.MULTILINE)
    assert len(names) >= 10
    for name in names:
        if not name.startswith("net.") or (Path("/proc/sys") / name.replace(".", "/")).exists():
            assert (Path("/proc/sys") / name.replace(".", "/")).exists(), name


def test_every_command_block_is_run_or_has_a_reason() -> None:
    run = ["From an empty machine", "Upgrades", "Backups", "The kernel", "Figures to watch"]
    for heading in _headings():
        for block in blocks(heading):
            if any(block.startswith(start) for start in LEFT_OUT):
                assert "not run these" in section(PAGE, heading).replace("\n", " "), block
            else:
                assert heading.removeprefix("## ") in run, block


def _headings() -> list[str]:
    return re.findall(r"^## .*$", PAGE.read_text(), re.MULTILINE)


def test_the_sizes_are_those_that_were_measured() -> None:
    measured = (ROOT / "docs" / "performance.md").read_text()
    for figure in ("2.2 KB", "170 to 200 bytes", "340 us instead of 290", "31 us", "2.0 us", "0.41 us"):
        assert figure in section(PAGE, "## Sizes")
        assert figure in measured.replace("\n", " "), figure


def test_every_alert_has_a_section_that_says_what_to_do() -> None:
    alerts = re.findall(r"^### (\w+)$", section(PAGE, "## When an alert fires"), re.MULTILINE)
    assert len(alerts) == len(set(alerts)) > 10
    rules = [
        rule["alert"]
        for file in sorted(RULES.glob("*.rules.yml"))
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]
    assert set(rules) <= set(alerts)


def test_every_folder_of_operations_is_on_the_page() -> None:
    text = PAGE.read_text()
    names = {path.name for path in (ROOT / "ops").iterdir() if path.is_dir()}
    assert {name for name in names if f"ops/{name}/" not in text} == set()
