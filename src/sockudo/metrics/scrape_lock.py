"""Decides which worker of a machine listens for scrapes: the one that holds a lock, which ends with the worker."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path


class ScrapeLock:
    """A lock that one worker at a time has."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "metrics.lock"
        self._file: int | None = None

    def take(self) -> bool:
        """Take the lock if nobody has it; tell whether this worker has it now."""
        if self._file is not None:
            return True
        try:
            file = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
        except OSError:
            # The supervisor is gone, and its directory with it.
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            return False
        self._file = file
        return True

    def leave(self, *, is_last: bool = False) -> None:
        """Let another worker take it; the last one removes the file, so that the directory is empty."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if is_last:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
