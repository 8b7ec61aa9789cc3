"""Builds the wheel and the source archive as a release does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.support.source import ROOT

_SECONDS: Final = 120


def build(folder: Path, target: str, source: Path = ROOT) -> Path:
    """Build a `wheel` or an `sdist` of a checkout into a folder, with the hatchling of this environment."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=_SECONDS)
    (built,) = folder.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return built
