"""Installs the wheel on each Python, with the smallest and with the newest dependencies, and checks that it serves.

`make pythons` runs it. It needs uv, and the Pythons. For a Python that is not here it checks only that there is a wheel
of everything. Each environment stays in `.cache/pythons`, so that one that fails can be looked at.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.package import smoke
from tests.package.build import build
from tests.support.source import ROOT

PYTHONS: Final = ("3.11", "3.12", "3.13")
RESOLVED: Final = "3.14"
RESOLUTIONS: Final = ("lowest-direct", "highest")
_PLACE: Final = ROOT / ".cache" / "pythons"


def main() -> int:
    """Check all of them and return the exit status."""
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        wheel = build(Path(folder), "wheel")
        for python in PYTHONS:
            for resolution in RESOLUTIONS:
                problem = installed(python, resolution, wheel)
                failed |= bool(problem)
                print(f"Python {python}, {resolution}: {problem or 'serves'}", flush=True)
    problem = resolved(RESOLVED)
    print(f"Python {RESOLVED}, wheels only: {problem or 'resolves'}", flush=True)
    return int(failed or bool(problem))


def installed(python: str, resolution: str, wheel: Path) -> str:
    """Install the wheel with every driver and check it; return what is wrong."""
    place = _PLACE / f"{python}-{resolution}"
    shutil.rmtree(place, ignore_errors=True)
    try:
        _uv("venv", "--quiet", "--python", _interpreter(python), str(place))
        only = ["--only-binary", ":all:", "--resolution", resolution]
        _uv("pip", "install", "--quiet", "--python", str(place / "bin" / "python"), *only, f"{wheel}[all]")
        smoke.check(place / "bin" / "python")
    except subprocess.CalledProcessError as error:
        return f"{error}\n{error.stderr}"
    except (AssertionError, TimeoutError) as error:
        return repr(error)
    return ""


def resolved(python: str) -> str:
    """Check that every dependency has a wheel for a Python; return what is wrong."""
    only = ["--python-version", python, "--only-binary", ":all:", "--extra", "all", "--quiet"]
    try:
        _uv("pip", "compile", *only, str(ROOT / "pyproject.toml"))
    except subprocess.CalledProcessError as error:
        return f"{error}\n{error.stderr}"
    return ""


def _interpreter(version: str) -> str:
    """Return where pyenv has a Python; uv finds the others by their version."""
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv", "versions")
    return max(map(str, versions.glob(f"{version}.*/bin/python3")), default=version)


def _uv(*arguments: str) -> None:
    tool = shutil.which("uv")
    if tool is None:
        sys.exit("uv is not installed: pip install uv")
    subprocess.run([tool, *arguments], check=True, capture_output=True, text=True, timeout=900)


if __name__ == "__main__":
    sys.exit(main())
