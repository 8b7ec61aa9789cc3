"""Brokers as processes of the tests: started once they answer, frozen and thawed by their tests."""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.servers.missing import missing
from tests.servers.processes import ServerProcess, wait_until


def find_program(name: str, hint: str) -> str:
    """Return where a program is: beside the interpreter, or on the path. Skips without it, except on CI."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name) or missing(f"{name} is missing: {hint}")


class BrokerProcess(ServerProcess):
    """One broker; `answers` says whether it is ready and raises OSError as long as nobody listens."""

    def __init__(
        self,
        command: list[str],
        folder: Path,
        answers: Callable[[], bool],
        *,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(command, folder, environ)
        self._answers = answers

    def start(self) -> None:
        """Start the process and return when it answers."""
        super().start()
        self._wait_until_ready()

    def ensure(self) -> None:
        """Start the process unless it runs, and return when it answers: one that is still starting does not yet."""
        if self.is_running:
            self._wait_until_ready()
        else:
            self.start()

    def stop(self) -> None:
        """End the process in order."""
        self.end(signal.SIGTERM)

    def kill(self) -> None:
        """End the process at once."""
        self.end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop the process from doing anything; its connections stay."""
        self.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.send(signal.SIGCONT)

    def _wait_until_ready(self) -> None:
        wait_until(self._is_ready, f"{self.name} answers")

    def _is_ready(self) -> bool:
        assert self.is_running, f"{self.name} has ended:\n{self.log_tail()}"
        try:
            return self._answers()
        except OSError:
            return False
