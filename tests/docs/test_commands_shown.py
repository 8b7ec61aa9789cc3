"""The commands that README and the pages show, pasted into a shell as they stand, do what the pages say."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from sockudo.supervisor.cores import usable_cores
from tests.clients.client import ApiClient, PusherClient
from tests.servers.ports import free_port
from tests.servers.processes import program, wait_until
from tests.servers.redis_server import RedisProcess
from tests.support.pages import code_blocks, the_block
from tests.support.shell import Shell
from tests.support.source import ROOT

README: Final = ROOT / "README.md"
APPS: Final = ROOT / "docs" / "apps.md"
MIGRATING: Final = ROOT / "docs" / "migrating.md"
TRACING: Final = ROOT / "docs" / "tracing.md"
PUBLIC: Final = {"id": "1", "key": "chat-key", "secret": "chat-secret"}
REVERB: Final = PUBLIC | {"app_id": "1"}


class Terminal:
    """A shell in an empty folder, with the `sockudo` of this environment, where a server needs no Ctrl-C."""

    def __init__(self, folder: Path, shell: Shell) -> None:
        self.folder = folder
        self.port = free_port()
        self._shell = shell

    def paste(self, block: str, changes: Mapping[str, str] | None = None) -> str:
        """Run a block line by line; a server runs on, and the next line comes when it is ready."""
        printed = ""
        for old, new in (changes or {}).items():
            assert old in block, old
            block = block.replace(old, new)
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("pip install"):
                continue
            if "sockudo serve" in line:
                self._serve(line.partition("#")[0])
            else:
                printed += self._shell.run(line)
        return printed

    def _serve(self, line: str) -> None:
        log = self.folder / f"{len(list(self.folder.glob('*.log')))}.log"
        log.touch()
        self._shell.run(f"{line} > {log} 2>&1 &")
        wait_until(lambda: "is ready" in log.read_text(), "the server is ready")

    def log(self) -> str:
        """Return what the first server wrote."""
        return (self.folder / "0.log").read_text()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    program("bash", "bash")
    environ = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    with Shell(tmp_path, environ) as shell:
        opened = Terminal(tmp_path, shell)
        # A page leaves the port at its default, which another program may have here.
        opened.paste(f"export HOST=127.0.0.1 PORT={opened.port}")
        yield opened


async def test_the_file_of_the_readme_serves_its_app(terminal: Terminal) -> None:
    first, *_ = code_blocks(README, "toml")
    (terminal.folder / "sockudo.toml").write_text(first.text)
    terminal.paste(the_block(README, "sh", "--config sockudo.toml"))
    async with PusherClient(terminal.port, "chat-key", "chat-secret") as client:
        await client.subscribe("private-orders")


async def test_without_a_configuration_the_demo_app_is_served(terminal: Terminal) -> None:
    terminal.paste(the_block(README, "sh", "pip install .\n"))
    async with PusherClient(terminal.port, "app-key", "app-secret") as client:
        await client.subscribe("private-orders")


async def test_variables_replace_the_file_as_the_readme_shows(terminal: Terminal) -> None:
    terminal.paste(the_block(README, "sh", "PATH_PREFIX"), {"PORT=6001": f"PORT={terminal.port}"})
    async with PusherClient(terminal.port, "chat-key", "chat-secret", prefix="/realtime") as client:
        assert json.loads(client.first["data"])["activity_timeout"] == 60
        await client.subscribe("private-orders")


def test_workers_auto_serves_with_every_core(terminal: Terminal) -> None:
    terminal.paste(the_block(README, "sh", "--workers auto"))
    assert f"  workers         {usable_cores()} (processes " in terminal.log()


async def test_nodes_on_redis_join_as_the_readme_shows(terminal: Terminal, redis_server: RedisProcess) -> None:
    join, serve, *ask = the_block(README, "sh", "sockudo nodes").splitlines()
    terminal.paste(join, {"redis://10.0.0.5:6379": redis_server.url})
    terminal.paste(serve)
    other = free_port()
    terminal.paste(f"export PORT={other}")
    terminal.paste(serve)
    head, *rows = terminal.paste("\n".join(ask)).splitlines()
    assert head.startswith("node ")
    assert len(rows) == 2
    async with PusherClient(terminal.port, "app-key", "app-secret") as client:
        await client.subscribe("orders")
        await ApiClient(other, "1", "app-key", "app-secret").trigger("orders", "from the other node")
        assert (await client.expect("event"))["data"] == "from the other node"


@pytest.mark.parametrize(("page", "events"), [(README, False), (APPS, True)], ids=["readme", "apps"])
async def test_an_app_that_was_created_is_served(terminal: Terminal, page: Path, events: bool) -> None:
    printed = terminal.paste(the_block(page, "sh", "sockudo apps create"))
    created = {name: re.findall(rf"^{name}: +(\S+)$", printed, re.MULTILINE)[0] for name in ("id", "key", "secret")}
    async with PusherClient(terminal.port, created["key"], created["secret"]) as client:
        await client.subscribe("private-orders")
        await client.trigger("private-orders", "client-typed", {})
        await (client.expect_nothing() if events else client.expect_error(4301))


def test_tracing_starts_without_a_collector(terminal: Terminal) -> None:
    terminal.paste(the_block(TRACING, "sh", "TRACING_ENABLED"), {"127.0.0.1:4318": f"127.0.0.1:{free_port()}"})
    assert "is ready" in terminal.log()


@pytest.mark.parametrize(
    ("having", "file", "text"),
    [
        ("soketi.json", "soketi.json", json.dumps({"appManager": {"array": {"apps": [PUBLIC]}}})),
        ("reverb .env", ".env", "REVERB_APP_ID=1\nREVERB_APP_KEY=chat-key\nREVERB_APP_SECRET=chat-secret\n"),
        (
            "reverb.json",
            "reverb.json",
            json.dumps({"apps": {"provider": "config", "apps": [REVERB]}}),
        ),
    ],
    ids=["soketi", "reverb", "reverb-json"],
)
def test_an_import_makes_a_file_that_the_server_accepts(terminal: Terminal, having: str, file: str, text: str) -> None:
    (terminal.folder / file).write_text(text)
    block = the_block(MIGRATING, "sh", f"{having} --output")
    # Laravel's own command writes reverb.json.
    printed = terminal.paste(re.sub(r"(?m)^php .*$", "touch sockudo.json", block))
    if "check-config" not in block:
        printed += terminal.paste("sockudo check-config sockudo.json")
    assert "\nOK\n" in f"\n{printed}"
    assert "key chat-key" in printed
