"""Foreign servers as processes: started on free loopback ports, ready when they answer, ended by their id."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.servers.missing import missing

# On an idle machine the slowest takes 10 s; a machine with ten times as much to do takes longer.
START_WITHIN: Final = 60.0
_LOG_TAIL: Final = 6000


def program(name: str, package: str) -> str:
    """Return the path of a program. Without it the test is skipped, or fails where everything must be there."""
    return shutil.which(name) or missing(f"{name} is not installed: apt-get install {package}")


def wait_until(is_true: Callable[[], bool], what: str, within: float = START_WITHIN) -> None:
    """Return once `is_true`; another process has no event to wait for, so it is asked again and again."""
    deadline = time.monotonic() + within
    while not is_true():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} within {within:g} s: no")
        time.sleep(0.02)


class ServerProcess:
    """One process with a log of its own."""

    def __init__(self, command: list[str], folder: Path, environ: Mapping[str, str] | None = None) -> None:
        self._command = command
        self._folder = folder
        self._environ = {**os.environ, **(environ or {})}
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """The name of the program."""
        return Path(self._command[0]).name

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process; it may not be ready yet."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, env=self._environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the process and wait until it is gone."""
        if self._process is None or self._process.poll() is not None:
            return
        # A process that was stopped hears nothing else.
        self._process.send_signal(number)
        self._process.send_signal(signal.SIGCONT)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    def log_tail(self) -> str:
        """Return the end of what the process wrote."""
        return self._log.read_text("utf-8", "replace")[-_LOG_TAIL:] if self._log.exists() else ""
