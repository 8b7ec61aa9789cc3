from __future__ import annotations

import subprocess
import sys
import sysconfig
from types import SimpleNamespace
from typing import Any

import pytest

from sockudo.server import open_files


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    # In a process of its own: the limit cannot be restored above what it becomes here.
    code = (
        "import resource; from sockudo.server.open_files import raise_limit;"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1];"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard));"
        "raise_limit(); assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)"
    )
    if sysconfig.get_platform().startswith("win"):
        pytest.skip("no such limits")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


@pytest.mark.parametrize("error", [OSError(), ValueError()])
def test_a_limit_that_cannot_be_raised_stays(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(*_: Any) -> None:
        raise error

    fake = SimpleNamespace(RLIMIT_NOFILE=7, getrlimit=lambda _: (256, 1024), setrlimit=refuse)
    monkeypatch.setattr(open_files, "resource", fake)
    open_files.raise_limit()


def test_a_platform_without_limits_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_files, "resource", None)
    open_files.raise_limit()
