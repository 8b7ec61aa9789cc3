"""One bash that commands are pasted into, block after block: variables, folder and background jobs stay."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pytest

_DONE: Final = "--- the block is done ---"


class Shell:
    """A bash that stops at the first command that fails. What it started ends with it."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-euo", "pipefail"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=dict(environ),
            # Jobs are in its group, so that they can be ended together.
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The number of the group is taken while any process of it is there, so it belongs to nobody else.
        os.killpg(self._bash.pid, 9)
        self._bash.communicate()

    def run(self, block: str, within: float = 120.0) -> str:
        """Run a block and return what it prints, errors included."""
        assert self._bash.stdin is not None
        self._bash.stdin.write(f"{block}\necho '{_DONE}'\n".encode())
        self._bash.stdin.flush()
        printed = self._read(block, time.monotonic() + within)
        return printed.removesuffix(f"{_DONE}\n")

    def _read(self, block: str, deadline: float) -> str:
        assert self._bash.stdout is not None
        printed = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._bash.stdout, selectors.EVENT_READ)
            while not printed.endswith(f"{_DONE}\n".encode()):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    pytest.fail(f"not done in time:\n{block}\nIt printed:\n{printed.decode()}")
                if not (more := os.read(self._bash.stdout.fileno(), 65536)):
                    pytest.fail(f"a command failed:\n{block}\nIt printed:\n{printed.decode()}")
                printed += more
        return printed.decode()
