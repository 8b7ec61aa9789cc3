"""What commands import from other projects: each costs time and memory of every process, so a new one is on purpose."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import click
import pytest

from sockudo.cli import import_config, main
from sockudo.cli.apps import apps
from tests.servers.server import clean_environ

# Runs a command, then writes the names of all modules to a file.
PROGRAM: Final = """
import atexit, json, pathlib, sys
from sockudo.cli.main import main
atexit.register(lambda: pathlib.Path("modules.json").write_text(json.dumps(sorted(sys.modules))))
main(sys.argv[1:], prog_name="sockudo")
"""

PYDANTIC: Final = {"annotated_types", "pydantic", "pydantic_core", "typing_extensions", "typing_inspection"}
# What these libraries import themselves where it is installed.
STRUCTLOG: Final = {"structlog", "greenlet"}
RICH: Final = {"rich", "attr", "markdown_it", "mdurl", "pygments"}
SERVE: Final = {"click", "httptools", "msgspec", "uvloop"} | PYDANTIC | STRUCTLOG | RICH


def imported(folder: Path) -> set[str]:
    names = {name.partition(".")[0] for name in json.loads((folder / "modules.json").read_text())}
    ours = {"__main__", "__mp_main__", "sockudo"}
    return {name for name in names - ours - sys.stdlib_module_names if not name.startswith("_")} - {"cython_runtime"}


def command(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=folder,
        env=clean_environ() | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )


def serve_once(folder: Path, *options: str) -> None:
    """Start a server, and stop it when it is ready."""
    with command(folder, "serve", "--host", "127.0.0.1", "--port", "0", *options) as process:
        assert process.stdout is not None
        try:
            assert any("http://127.0.0.1" in line for line in process.stdout)
        finally:
            process.send_signal(signal.SIGTERM)
        process.stdout.read()
    assert process.returncode == 0


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"], ["webhooks", "--help"], ["--version"]])
def test_help_imports_nothing_but_click(tmp_path: Path, arguments: list[str]) -> None:
    with command(tmp_path, *arguments) as process:
        process.communicate()
    assert process.returncode == 0
    assert imported(tmp_path) == {"click"}


def test_serving_with_defaults_imports_only_what_it_uses(tmp_path: Path) -> None:
    serve_once(tmp_path)
    assert imported(tmp_path) <= SERVE


def test_a_supervisor_imports_nothing_of_the_server(tmp_path: Path) -> None:
    serve_once(tmp_path, "--workers", "2")
    modules: set[str] = set(json.loads((tmp_path / "modules.json").read_text()))
    assert imported(tmp_path) <= SERVE - {"httptools", "msgspec", "uvloop"}
    assert not {"sockudo.hub.hub", "sockudo.node.node", "sockudo.server.server"} & modules


def test_the_listed_texts_are_those_of_the_modules() -> None:
    listed = main.main.commands
    assert listed["apps"].help == apps.help
    assert isinstance(listed["apps"], click.Group)
    assert set(main.SERVERS) == set(import_config.SERVERS)
