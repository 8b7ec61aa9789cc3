"""The commands that CONTRIBUTING.md lists are those of the Makefile, with the variables that it names."""

from __future__ import annotations

import re
import subprocess
from typing import Final

import pytest

from tests.servers.processes import program
from tests.support.pages import section, table_rows
from tests.support.source import ROOT

PAGE: Final = ROOT / "CONTRIBUTING.md"
ROWS: Final = {row[0].strip("`"): row[1] for row in table_rows(section(PAGE, "## Set-up"))}


def would_run(*words: str) -> str:
    """Return the commands that make would run, of the target alone."""
    command = [program("make", "make"), "--dry-run", "--assume-old", ".venv/.dev", "--assume-old", ".venv/.run", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_target_of_the_makefile_is_listed() -> None:
    (targets,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    # The page about performance has `make tools`.
    assert set(ROWS) == {f"make {target}" for target in targets.split()} - {"make tools"}
    assert "make tools " in (ROOT / "docs" / "performance.md").read_text()


@pytest.mark.parametrize("command", ROWS)
def test_every_command_listed_is_one_that_make_knows(command: str) -> None:
    assert would_run(*command.split()[1:])


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["run"], "/sockudo serve --config config/config.json"),
        (["test", "PROCESSES=0"], "--numprocesses 0"),
        (["test", "PYTHON=python3.13", "--assume-new", "pyproject.toml", "VENV=.venv-other"], "python3.13 -m venv"),
        (["test-every-topology"], "tests/scenarios --every-topology"),
        (["fuzz"], "--seconds 600"),
        (["fuzz", "SECONDS=60", "TARGETS=http"], "--seconds 60 http"),
        (["soak"], "--seconds 600 --idle 9000"),
        (["soak", "SECONDS=60", "IDLE=1000"], "--seconds 60 --idle 1000"),
        (["docs"], "sockudo.config.reference docs/configuration.md"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_takes_the_variables_shown(words: list[str], part: str) -> None:
    assert part in would_run(*words)


def test_ci_runs_lint_types_and_tests() -> None:
    assert "make lint types test" in (ROOT / ".ci" / "run").read_text()
