"""Real servers as processes of the tests: on a free loopback port, with their data in a temporary folder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

import pytest

START_TIMEOUT = 60.0
STOP_TIMEOUT = 20.0


def find_program(name: str, hint: str) -> str:
    """Return where a program is: beside the interpreter, or on the path. Skips without it, except on CI."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name) or missing(f"{name} is missing: {hint}")


def missing(reason: str) -> NoReturn:
    """Skip, or fail on CI, where everything must be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


class ServerProcess:
    """One server; `answers` says whether it is ready and raises OSError as long as nobody listens."""

    def __init__(
        self,
        command: list[str],
        folder: Path,
        answers: Callable[[], bool],
        *,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.log = folder / "log"
        self._command = command
        self._folder = folder
        self._answers = answers
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process and return when it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A group of its own, so that what it starts ends with it.
                start_new_session=True,
            )
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                if self._answers():
                    return
            except OSError:
                pass
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                pytest.fail(f"{self._command[0]} does not start:\n{self.tail()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End the process in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the process at once."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop the process from doing anything; its connections stay."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def tail(self, size: int = 4000) -> str:
        """Return the end of the log."""
        return self.log.read_bytes()[-size:].decode("utf-8", "replace") if self.log.exists() else ""

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, number)

    def _end(self, number: signal.Signals) -> None:
        process = self._process
        if process is None:
            return
        self._signal(number)
        # One that is frozen could not end.
        self._signal(signal.SIGCONT)
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            process.wait(STOP_TIMEOUT)
        self._process = None
