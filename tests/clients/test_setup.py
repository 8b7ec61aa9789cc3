"""The set-up says what is missing, and lets nothing be missing under CI."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

SCRIPT: Final = Path(__file__).parents[1] / "setup.py"


@pytest.mark.parametrize(("environ", "status"), [({}, 0), ({"CI": "true"}, 1)], ids=["at-home", "ci"])
def test_what_is_missing_is_named(environ: dict[str, str], status: int, tmp_path: Path) -> None:
    # On this path there is nothing: no node, no npm, no browser, and no apt-get to install one.
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        env={"PATH": str(tmp_path)} | environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert "node and npm are missing: install Node.js" in done.stderr
    assert "Chromium is missing: install it" in done.stderr
    assert "Redis is missing: install it" in done.stderr
    assert "incomplete" in done.stderr
