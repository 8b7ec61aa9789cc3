"""The benchmarks that docs/performance.md names run, and print what the page says of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.servers.missing import missing
from tests.servers.ports import free_port
from tests.servers.processes import program
from tests.setup.apt import C_COMPILER
from tests.support.source import ROOT

PAGE: Final = ROOT / "docs" / "performance.md"


@pytest.fixture(autouse=True)
def compiler() -> None:
    if not all(C_COMPILER.find()):
        missing(f"{C_COMPILER.name} is not installed: apt-get install {' '.join(C_COMPILER.packages)}")


def run(script: str, *arguments: str) -> str:
    """Run a benchmark; return what it prints."""
    command = [sys.executable, f"benchmarks/{script}.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_benchmark_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"benchmarks/(\w+)\.py", PAGE.read_text()))
    assert "table" in named
    assert all((ROOT / "benchmarks" / f"{name}.py").exists() for name in named)


def test_one_command_prints_every_line_beside_the_yardstick() -> None:
    names = ("churn", "post", "many", "steady")
    lines = run("table", "--rounds", "1", "--seconds", "0.3", "--rows", ",".join(names)).splitlines()
    assert lines[0] == "| what | bar | stretch | wslimit | sockudo |"
    # The steady load has two figures.
    assert len(lines) == 2 + len(names) + 1
    assert all(re.search(r"\| [\d.]+ x \([\d.]+ to [\d.]+\), [\d.,]+ (us|ms) \|$", line) for line in lines[2:])


def test_another_server_gets_a_column_by_its_command_line(tmp_path: Path) -> None:
    port, config = free_port(), tmp_path / "peer.json"
    apps = [{"id": "1", "key": "app-key", "secret": "app-secret"}]
    config.write_text(json.dumps({"host": "127.0.0.1", "port": port, "app_manager": {"array": {"apps": apps}}}))
    peer = f"other={sys.executable} -m sockudo serve --config {config}:{port}"
    printed = run("table", "--rounds", "1", "--seconds", "0.3", "--rows", "post", "--peer", peer)
    assert printed.splitlines()[0].endswith("| sockudo | other |")
    assert len(re.findall(r"[\d.]+ x \(", printed.splitlines()[2])) == 2


def test_three_nodes_are_measured_beside_one() -> None:
    program("redis-server", "redis-server")
    options = ("--buses", "alone,redis", "--rates", "200", "--rounds", "1", "--seconds", "0.5")
    lines = run("cluster", *options).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| alone", "| alone", "| redis", "| redis"]
    assert all(line.endswith("| yes |") for line in lines[2:])


def test_an_event_on_one_worker_is_measured_beside_two() -> None:
    lines = run("workers", "--cpu", "--rounds", "1", "--seconds", "0.5").splitlines()
    few, many = lines[2:]
    assert few.startswith("| 10 sockets, 1000 a second | ")
    assert many.startswith("| 100 sockets, 200 a second | ")
    assert all(re.search(r"\| \d+ us \| \d+ us \| [\d.]+ x \|$", line) for line in (few, many))
