"""Runs the tests, and those few that failed beside another process once more, alone.

    python -m tests.support.second_look ARGUMENTS OF PYTEST

Tests with real brokers and real processes measure seconds. On a machine where several run at once, one of 15 000 may
fail for want of a core. A fault of the server fails again. Whatever passed only alone is named at the end, since it is
a defect all the same: of the test, or of the server under load.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import pytest

# More are no chance.
MOST: Final = 5
REPORT: Final = Path(".cache", "tests.xml")

Run = Callable[[Sequence[str]], int]


def look(arguments: Sequence[str], run: Run, report: Path = REPORT) -> int:
    """Run the tests, and once more what failed; return the exit status.

    Args:
        arguments: of pytest.
        run: runs pytest with arguments and returns its exit status.
        report: where pytest writes what became of each test.
    """
    status = run([*arguments, f"--junit-xml={report}"])
    if status != pytest.ExitCode.TESTS_FAILED:
        return status
    failed = failures(report)
    if not 0 < len(failed) <= MOST:
        return status
    print(f"\n{len(failed)} failed; they run once more, alone.", flush=True)
    again = run(["--numprocesses", "0", *failed])
    if again == pytest.ExitCode.OK:
        print("Passed only alone, which is a defect:", *failed, sep="\n  ", flush=True)
    return again


def failures(report: Path) -> list[str]:
    """Return the ids of the tests that failed or had an error, each once and in order."""
    found: dict[str, None] = {}
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote this file a moment ago
        if case.find("failure") is not None or case.find("error") is not None:
            found[_node_id(case.get("classname", ""), case.get("name", ""))] = None
    return list(found)


def _node_id(module: str, name: str) -> str:
    parts = module.split(".")
    for end in range(len(parts), 0, -1):
        file = Path(*parts[:end]).with_suffix(".py")
        if file.exists():
            return "::".join([str(file), *parts[end:], name])
    return module


def _pytest(arguments: Sequence[str]) -> int:
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False).returncode


if __name__ == "__main__":
    REPORT.parent.mkdir(exist_ok=True)
    sys.exit(look(sys.argv[1:], _pytest))
