"""What the README shows works as shown."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from sockudo import __version__
from tests.clients.client import PusherClient
from tests.servers.missing import missing
from tests.servers.server import ServerProcess, running_server, server_process
from tests.setup.npm import NODE_FOLDER, has_node_packages
from tests.support.pages import code_blocks, the_block
from tests.support.source import ROOT

README: Final = ROOT / "README.md"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    first, *_ = code_blocks(README, "toml")
    (app,) = tomllib.loads(first.text)["app_manager"]["array"]["apps"]
    with server_process(tmp_path, app) as running:
        yield running


def program(text: str, port: int) -> list[str]:
    """Return the command that runs a program of the README against another port."""
    assert "6001" in text
    return [sys.executable, "-c", text.replace("6001", str(port))]


@pytest.mark.parametrize("text", [block.text for block in code_blocks(README, "python")])
def test_python_in_the_readme_compiles(text: str) -> None:
    compile(text, str(README), "exec")


def test_what_is_published_as_shown_is_received_as_shown(server: ServerProcess) -> None:
    receive = program(the_block(README, "python", "websockets"), server.port)
    publish = program(the_block(README, "python", "pusher.Pusher"), server.port)
    with subprocess.Popen(receive, stdout=subprocess.PIPE, text=True) as receiver:
        try:
            assert receiver.stdout is not None
            received = [receiver.stdout.readline(), receiver.stdout.readline()]
            printed = subprocess.run(publish, capture_output=True, text=True, check=True, timeout=30).stdout
            received.append(receiver.stdout.readline())
        finally:
            receiver.kill()
    shown = the_block(README, "text", "connection_established")
    assert without_socket_id("".join(received)) == without_socket_id(shown)
    assert printed == the_block(README, "text", "occupied")


def test_the_receiver_for_node_prints_what_is_shown(server: ServerProcess, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None or not has_node_packages():
        missing("node or its packages are not installed: python -m tests.setup")
    (tmp_path / "node_modules").symlink_to(NODE_FOLDER / "node_modules")
    script = tmp_path / "receive.mjs"
    script.write_text(the_block(README, "js", "new Pusher").replace("6001", str(server.port)))
    with subprocess.Popen([node, str(script)], stdout=subprocess.PIPE, text=True) as receiver:
        try:
            assert receiver.stdout is not None
            received = receiver.stdout.readline()
            publish = program(the_block(README, "python", "pusher.Pusher"), server.port)
            subprocess.run(publish, capture_output=True, check=True, timeout=30)
            received += receiver.stdout.readline()
        finally:
            receiver.kill()
    assert received == the_block(README, "text", "subscribed\ncreated")


def test_the_banner_begins_as_shown(tmp_path: Path) -> None:
    with server_process(tmp_path, port=0) as running:
        log = (tmp_path / "server.log").read_text()
        first, *_ = the_block(README, "text", "is ready").splitlines()
        assert first in log
        assert f"ws://127.0.0.1:{running.port}/app/{{key}}" in log
    assert f"Sockudo {__version__} is ready" == first


def without_socket_id(text: str) -> str:
    return re.sub(r"\d+\.\d{2,}", "SOCKET", text)


async def test_the_second_protocol_of_sockudo_is_refused() -> None:
    async with running_server() as server:
        code, text = await PusherClient(server.port, query="?protocol=2").expect_refusal()
    assert code == 4007
    assert text.startswith("Unsupported protocol version")
