"""JavaScript clients against the running server: each file of `node/` runs with Node's own test runner.

The libraries are pusher-js, pusher and laravel-echo as npm has them; `chromium.test.mjs` drives a browser.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.libraries.apps import APP_ID, DISABLED_ID, DISABLED_KEY
from tests.servers.missing import missing
from tests.servers.server import KEY, SECRET, ServerProcess
from tests.setup.apt import find_browser
from tests.setup.npm import NODE_FOLDER, has_node_packages

TIMEOUT: Final = 100
FILES: Final = sorted(NODE_FOLDER.glob("*.test.mjs"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name.removesuffix(".test.mjs"))
def test_javascript_clients_work(file: Path, server: ServerProcess) -> None:
    environ = app_environ(server.port) | {
        "TEST_DISABLED_ID": DISABLED_ID,
        "TEST_DISABLED_KEY": DISABLED_KEY,
        "TEST_SERVE_COMMAND": json.dumps([sys.executable, "-m", "sockudo", "serve"]),
    }
    if file.name.startswith("chromium"):
        browser = find_browser()
        if browser is None:
            missing("Chromium is missing: run `python -m tests.setup`")
        environ["TEST_BROWSER"] = browser
    status, output = run([node_program(), "--test", "--test-force-exit", "--test-reporter=spec", str(file)], environ)
    assert status == 0, output


def node_program() -> str:
    """Return the path of Node.js, whose packages are there."""
    node = shutil.which("node")
    if node is None or not has_node_packages():
        missing("Node.js or the npm packages are missing: run `python -m tests.setup`")
    return node


def app_environ(port: int) -> dict[str, str]:
    """Return the variables that tell a program of `node/` its server and app."""
    return {
        "TEST_HOST": "127.0.0.1",
        "TEST_PORT": str(port),
        "TEST_APP_ID": APP_ID,
        "TEST_APP_KEY": KEY,
        "TEST_APP_SECRET": SECRET,
    }


def run(command: list[str], environ: dict[str, str]) -> tuple[int, str]:
    """Run a command and return its status and output; it and what it started end within `TIMEOUT`."""
    process = subprocess.Popen(
        command,
        cwd=NODE_FOLDER,
        env=os.environ | environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        # First a signal on which the tests' own processes are ended by those that started them.
        os.killpg(process.pid, signal.SIGTERM)
        try:
            output, _ = process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
        pytest.fail(f"not done within {TIMEOUT} s:\n{output}", pytrace=False)
    return process.returncode, output
