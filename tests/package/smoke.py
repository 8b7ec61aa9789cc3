"""Checks that an installed server works: it imports all of itself, and delivers with one process and with two.

`python -m tests.package.smoke DIR/bin/python` checks the one of another environment.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.clients.client import ApiClient, PusherClient, http
from tests.servers.ports import free_port
from tests.servers.server import document

_START_SECONDS: Final = 60.0
_IMPORT_ALL: Final = """
import importlib, pkgutil, sockudo
for module in pkgutil.walk_packages(sockudo.__path__, "sockudo."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(sockudo.__file__)
"""


def check(python: Path, *, everything: bool = True) -> None:
    """Check the server that this Python has; `everything` has the optional drivers as well.

    Raises:
        AssertionError: it does not work.
    """
    environ = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    # From a folder where no checkout is found.
    with tempfile.TemporaryDirectory() as folder:
        if everything:
            command = [str(python), "-W", "error::DeprecationWarning:sockudo", "-c", _IMPORT_ALL]
            place = subprocess.run(command, cwd=folder, env=environ, check=True, capture_output=True, text=True).stdout
            assert Path(place.strip()).is_relative_to(python.parents[1]), place
        for workers in (1, 2):
            _serve(python, Path(folder), environ, workers)


def _serve(python: Path, folder: Path, environ: dict[str, str], workers: int) -> None:
    port = free_port()
    (folder / "config.json").write_text(json.dumps(document(port=port, workers=workers)))
    command = [str(python.with_name("sockudo")), "serve", "--config", "config.json"]
    with subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.DEVNULL) as process:
        try:
            asyncio.run(_deliver(process, port))
        finally:
            process.send_signal(signal.SIGTERM)
            status = process.wait(30)
    assert status == 0, status


async def _deliver(process: subprocess.Popen[bytes], port: int) -> None:
    await _until_it_serves(process, port)
    async with PusherClient(port) as client:
        await client.subscribe("presence-room", {"user_id": "1"})
        await ApiClient(port).trigger("presence-room", "hello")
        frame = await client.expect("event")
        assert frame["data"] == "hello"


async def _until_it_serves(process: subprocess.Popen[bytes], port: int) -> None:
    async with asyncio.timeout(_START_SECONDS):
        while True:
            assert process.poll() is None, f"the server ended with {process.returncode}"
            try:
                if (await http(port, "GET", "/ready")).status == 200:
                    return
            except OSError:
                await asyncio.sleep(0.1)


if __name__ == "__main__":
    check(Path(sys.argv[1]).absolute())
    print("it serves")
