"""Running commands that install something."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

_TIMEOUT: Final = 600


class SetupError(Exception):
    """Something is missing and cannot be installed; the text says what to do."""


class Need(Protocol):
    """One thing that tests need. What is there already is left alone."""

    def install(self) -> None:
        """Install it where it is missing.

        Raises:
            SetupError: that cannot be done.
        """


def is_ci() -> bool:
    """Tell whether everything must be there."""
    return os.environ.get("CI") == "true"


def run(command: Sequence[str], folder: Path | None = None, environ: Mapping[str, str] | None = None) -> str:
    """Run a command; its output is returned, or shown if it fails.

    Raises:
        SetupError: it fails, or takes too long.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | (environ or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SetupError(f"`{' '.join(command)}` took longer than {_TIMEOUT} s") from None
    if done.returncode:
        raise SetupError(f"`{' '.join(command)}` failed:\n{done.stdout.strip()}")
    return done.stdout


def say(text: str) -> None:
    """Tell people what is going on."""
    print(f"test set-up: {text}", file=sys.stderr, flush=True)
