from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.support.source import ROOT

PLUGINS: Final = 'pytest_plugins = ["tests.support.alone"]\n'
# Each test says when it begins and ends; a line in one file is written whole.
TESTS: Final = """
import pathlib, time, pytest

def step(name):
    with open({log!r}, "a") as log:
        log.write(name + "\\n")

@pytest.mark.parametrize("number", range(8))
def test_beside(number):
    step("+")
    time.sleep(0.05)
    step("-")

@pytest.mark.alone
def test_alone():
    step("(")
    time.sleep(0.2)
    step(")")
"""


def steps_of_a_run(folder: Path, processes: int) -> str:
    """Run a test that is alone and others, half of them in another process; return what they said in order."""
    log = folder / "log"
    (folder / "conftest.py").write_text(PLUGINS)
    for name in ("test_a.py", "test_b.py"):
        (folder / name).write_text(TESTS.format(log=str(log)))
    (folder / "pytest.ini").write_text(f"[pytest]\nmarkers = alone\npythonpath = {ROOT}\n")
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(processes), "--dist", "loadfile", str(folder)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return log.read_text().replace("\n", "")


def test_nothing_runs_beside_a_test_that_is_alone(tmp_path: Path) -> None:
    steps = steps_of_a_run(tmp_path, 2)
    assert steps.count("()") == 2
    assert steps.count("(") == 2
    assert "++" in steps, "the others run beside each other"


def test_one_process_waits_for_nobody(tmp_path: Path) -> None:
    assert steps_of_a_run(tmp_path, 0) == "+-" * 8 + "()" + "+-" * 8 + "()"
