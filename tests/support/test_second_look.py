"""Few failed tests run once more alone, and what fails then fails the run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.second_look import MOST, look

TESTS = """
import os, pathlib, pytest

class TestIt:
    @pytest.mark.parametrize("number", range({count}))
    def test_once(self, number):
        seen = pathlib.Path(f"seen-{{number}}")
        first = not seen.exists()
        seen.touch()
        assert not first

def test_always():
    assert {always}
"""


class Runner:
    """Runs pytest in the folder of the test."""

    def __init__(self) -> None:
        self.runs: list[list[str]] = []

    def __call__(self, arguments: Sequence[str]) -> int:
        self.runs.append(list(arguments))
        command = [sys.executable, "-m", "pytest", *arguments, "-q", "-p", "no:cacheprovider", "-c", "pytest.ini"]
        return subprocess.run(command, check=False).returncode


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return Runner()


def write(*, count: int, always: bool = True) -> list[str]:
    """Write tests that fail the first time; return what pytest is told."""
    Path("test_it.py").write_text(TESTS.format(count=count, always=always))
    return ["test_it.py"]


def test_what_passes_alone_is_named_and_passes(runner: Runner, capfd: pytest.CaptureFixture[str]) -> None:
    assert look(write(count=2), runner, Path("report.xml")) == 0
    names = [f"test_it.py::TestIt::test_once[{number}]" for number in range(2)]
    assert runner.runs[1] == ["--numprocesses", "0", *names]
    assert "Passed only alone, which is a defect:\n  " + "\n  ".join(names) in capfd.readouterr().out


def test_what_fails_alone_fails_the_run(runner: Runner) -> None:
    assert look(write(count=1, always=False), runner, Path("report.xml")) == 1
    assert len(runner.runs) == 2


def test_many_failures_are_not_run_again(runner: Runner) -> None:
    assert look(write(count=MOST + 1), runner, Path("report.xml")) == 1
    assert len(runner.runs) == 1


def test_nothing_runs_again_where_all_passed(runner: Runner) -> None:
    assert look(write(count=0), runner, Path("report.xml")) == 0
    assert len(runner.runs) == 1


def test_a_broken_module_fails_the_run(runner: Runner) -> None:
    Path("test_it.py").write_text("import nothing_of_this_name\n")
    assert look(["test_it.py"], runner, Path("report.xml")) == 2
    assert len(runner.runs) == 1
