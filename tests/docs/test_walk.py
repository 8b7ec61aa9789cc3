"""A stranger who pastes the commands of docs/operations.md gets two nodes, and sees what the page shows."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sqlite3
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.package.build import build
from tests.servers.ports import free_port
from tests.servers.processes import program
from tests.servers.redis_server import RedisProcess
from tests.support.pages import section
from tests.support.shell import Shell
from tests.support.source import ROOT

PAGE: Final = ROOT / "docs" / "operations.md"
WALK: Final = "## From an empty machine"
# Sections whose commands are for a server that runs; they come before the step that ends the nodes.
MEANWHILE: Final = ("## Figures to watch", "## The kernel", "## Upgrades")
END_OF_TRIAL: Final = 'kill "$(cat listen.pid)"'
# A block that test_operations.py runs.
ELSEWHERE: Final = "> sockudo.env"
# What a block begins with -> why no test runs it. The page says so beside each.
LEFT_OUT: Final = {
    "apt-get": "changes the machine",
    "systemd-sysusers": "needs systemd as the first process",
    "docker build": "needs a Docker daemon",
    "kubectl create": "needs a cluster",
}
FOLDERS: Final = ("/opt/sockudo", "/etc/sockudo", "/etc/systemd", "/usr/lib/sysusers.d")
# It starts servers five times and runs pip three times, on machines with much to do.
pytestmark: Final = pytest.mark.timeout(600)
FENCE: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Step(NamedTuple):
    """Commands to paste, and what the page says that they print, if it says so."""

    commands: str
    shown: str | None


def steps(heading: str) -> list[Step]:
    """Return the commands below a heading that a test can run."""
    blocks = FENCE.findall(section(PAGE, heading))
    following = [*blocks[1:], ("", "")]
    return [
        Step(text, after if kind == "text" else None)
        for (language, text), (kind, after) in zip(blocks, following, strict=True)
        if language == "sh" and not text.startswith(tuple(LEFT_OUT))
    ]


class Stranger:
    """Somebody with an empty machine, which is a folder here."""

    def __init__(self, root: Path, wheel: Path, redis: RedisProcess, shell: Shell) -> None:
        self.root = root
        self.shell = shell
        self.printed: dict[Step, str] = {}
        ports = {name: str(free_port()) for name in ("6001", "6002", "9601", "9602")} | {"6379": str(redis.port)}
        # All that differs from what the page says: folders, ports, and where the package comes from. The tests have no
        # systemd, and need no second copy of the packages that ours needs.
        self._places = {
            **{name: f"{root}{name}" for name in FOLDERS},
            "--only-binary :all: 'sockudo[redis]'": f"--quiet --no-index --no-deps --force-reinstall {wheel}",
            "systemctl reload sockudo": "true",
            **ports,
        }

    def here(self, text: str) -> str:
        """Return a text of the page as it has to be on this machine."""
        pattern = "|".join(rf"\b{old}\b" if old.isdigit() else re.escape(old) for old in self._places)
        return re.sub(pattern, lambda match: self._places[match[0]], text)

    def take(self, step: Step) -> None:
        """Paste the commands, and keep what they print."""
        self.printed[step] = self.shell.run(self.here(step.commands))
        if "python3 -m venv" in step.commands:
            (site,) = (self.root / "opt" / "sockudo" / "lib").glob("python*/site-packages")
            (site / "here.pth").write_text(sysconfig.get_path("purelib"))


def alike(text: str) -> str:
    """Return a text without what differs each time: ids, processes, times, and the width of columns."""
    for pattern, name in (
        (rf"\b(live|{re.escape(socket.gethostname())}) +\d+\b", "HOST PROCESS"),
        (r"\d+\.\d{3,}", "SOCKET"),
        (r"\b[0-9a-f]{16}\b", "NODE"),
        (r"\d+:\d\d:\d\d", "AGE"),
        (r"[\d.]+ ms", "LAG"),
        (r"\b\d+\.\d+\.\d+\b", "VERSION"),
        (r" +", " "),
    ):
        text = re.sub(pattern, name, text)
    return text.strip()


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory, redis_server: RedisProcess) -> Iterator[Stranger]:
    """Somebody who has taken every step of the page."""
    root = tmp_path_factory.mktemp("machine")
    for name in ("bash", "curl", "openssl", "sysctl"):
        program(name, {"sysctl": "procps"}.get(name, name))
    environ = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(root), "TMPDIR": str(root)}
    with Shell(root, environ) as shell:
        shell.run("umask 022")
        stranger = Stranger(root, build(root / "wheel", "wheel"), redis_server, shell)
        walk = steps(WALK)
        (end,) = [number for number, step in enumerate(walk) if step.commands.startswith(END_OF_TRIAL)]
        for step in walk[:end] + [step for heading in MEANWHILE for step in steps(heading)] + walk[end : end + 1]:
            stranger.take(step)
        shell.run(f"cd {ROOT}")
        for step in walk[end + 1 :]:
            stranger.take(step)
        yield stranger


def test_every_step_prints_what_the_page_shows(walked: Stranger) -> None:
    shown = [step for step in walked.printed if step.shown is not None]
    assert len(shown) >= 7
    for step in shown:
        assert alike(walked.printed[step]) == alike(walked.here(step.shown or "")), step.commands


def test_the_steps_install_the_package_itself(walked: Stranger) -> None:
    asking = "/opt/sockudo/bin/python -c 'import sockudo; print(sockudo.__file__)'"
    assert walked.shell.run(walked.here(asking)).startswith(f"{walked.root}/opt/sockudo/")


def test_only_root_reads_the_secrets_and_the_service_the_settings(walked: Stranger) -> None:
    folder = walked.root / "etc" / "sockudo"
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert modes == {"environment": 0o600, "key.pem": 0o600, "config.toml": 0o644, "cert.pem": 0o644}
    secrets = re.findall(r"^\w+=([0-9a-f]{64})$", (folder / "environment").read_text(), re.MULTILINE)
    assert len(set(secrets)) == 2
    assert not any(secret in (folder / "config.toml").read_text() for secret in secrets)


def test_the_service_starts_what_the_steps_installed(walked: Stranger) -> None:
    unit = (walked.root / "etc" / "systemd" / "system" / "sockudo.service").read_text()
    (start,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    command, _, _, config, *_ = walked.here(start).split()
    assert os.access(command, os.X_OK)
    assert Path(config) == walked.root / "etc" / "sockudo" / "config.toml"
    assert (walked.root / "etc" / "systemd" / "system" / "sockudo.socket").exists()
    assert (walked.root / "usr" / "lib" / "sysusers.d" / "sockudo.conf").exists()


def test_the_figures_to_watch_answer_as_the_page_shows(walked: Stranger) -> None:
    (watch,) = steps("## Figures to watch")
    printed = walked.printed[watch]
    assert printed.startswith('OK{"memory":{"free":')
    assert alike(printed).count("HOST PROCESS") == 2
    assert printed.endswith("waiting    0\noldest     0.0 s\nfailed     0\n")


def test_the_kernel_shows_what_the_page_looks_at(walked: Stranger) -> None:
    (look,) = steps("## The kernel")
    assert "mem" in walked.printed[look]
    assert "ListenOverflows" in walked.printed[look]


def test_a_copy_of_a_sqlite_file_has_the_apps(walked: Stranger, tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "apps.db")) as database, database:
        database.execute("CREATE TABLE applications (id TEXT)")
        database.execute("INSERT INTO applications VALUES ('chat')")
    (copying,) = steps("## Backups")
    walked.shell.run(f"cd {tmp_path}")
    walked.take(copying)
    with contextlib.closing(sqlite3.connect(tmp_path / "apps-backup.db")) as copy:
        assert copy.execute("SELECT id FROM applications").fetchall() == [("chat",)]


def test_every_command_block_is_run_or_has_a_reason() -> None:
    text = PAGE.read_text()
    run = {step.commands for heading in (WALK, *MEANWHILE, "## Backups") for step in steps(heading)}
    shown = [block for language, block in FENCE.findall(text) if language == "sh" and ELSEWHERE not in block]
    left_out = [block for block in shown if block not in run]
    assert len(left_out) == len(LEFT_OUT)
    for block in left_out:
        assert block.startswith(tuple(LEFT_OUT)), block
        around = text[text.index(block) - 200 : text.index(block) + len(block) + 200]
        assert "not run these" in around.replace("\n", " "), block
