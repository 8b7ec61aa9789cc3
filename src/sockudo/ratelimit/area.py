"""Reserves the memory in which requests are counted: for one process, or for all workers of a machine.

A supervisor makes the memory and hands its descriptor to every worker, so the counts outlive each of them. A worker
locks the one table that it counts in, for a few microseconds. The system drops the locks of a process that dies, and
whoever locks that table next repairs it (`table.py`).
"""

from __future__ import annotations

import fcntl
import mmap
import os
import secrets
import tempfile
import time
from struct import Struct
from typing import Final

from sockudo.errors import DriverError

# Another layout of the tables is another version: workers of both would misread each other.
_VERSION: Final = 1
_HEAD: Final = Struct("<8sQ16s")
_MAGIC: Final = b"sockudoL"
# The tables begin at a page of their own.
_HEAD_BYTES: Final = mmap.PAGESIZE

# Longer than a worker that runs is kept from the processor in the middle of counting, on a machine that is overloaded.
_LOCK_SECONDS: Final = 1.0
_STUCK_SECONDS: Final = 5.0
_NAP: Final = 0.0001


class AreaError(DriverError):
    """The memory that is shared with other workers cannot be used."""


class Area:
    """Memory of this process alone. Untouched pages cost nothing.

    Attributes:
        memory: what the tables are in.
        secret: names of keys are made with it, so that nobody can choose keys that collide.
    """

    def __init__(self, size: int) -> None:
        self._mapped = mmap.mmap(-1, size)
        self.memory = memoryview(self._mapped)
        self.secret = secrets.token_bytes(16)

    def lock(self, table: int) -> None:
        """Keep other processes from a table.

        Raises:
            AreaError: another process does not let go of it.
        """

    def unlock(self, table: int) -> None:
        """Let other processes have a table again."""


class SharedArea(Area):
    """Memory that a supervisor has made for its workers.

    A process keeps it until it ends, and has one: the system drops all locks that a process has on a file when that
    process closes any descriptor of it.
    """

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self._stuck_until: dict[int, float] = {}
        self._mapped = self._map(size)
        magic, version, self.secret = _HEAD.unpack_from(self._mapped)
        if (magic, version) != (_MAGIC, _VERSION):
            raise AreaError("the supervisor is of another version and keeps other counts: restart the whole server")
        self.memory = memoryview(self._mapped)[_HEAD_BYTES:]

    def lock(self, table: int) -> None:
        if not self._try(table):
            self._wait(table)

    def unlock(self, table: int) -> None:
        fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, table)

    def _map(self, size: int) -> mmap.mmap:
        try:
            return mmap.mmap(self._descriptor, _HEAD_BYTES + size)
        except (OSError, ValueError) as error:
            raise AreaError(f"the memory in which workers count requests is unusable: {error}") from error

    def _try(self, table: int) -> bool:
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, table)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def _wait(self, table: int) -> None:
        """Wait for a lock; for one that a worker that hangs has, every few seconds only."""
        now = time.monotonic()
        if now >= self._stuck_until.get(table, 0.0):
            until = now + _LOCK_SECONDS
            while time.monotonic() < until:
                time.sleep(_NAP)
                if self._try(table):
                    return
            self._stuck_until[table] = until + _STUCK_SECONDS
        raise AreaError("rate_limiter.driver memory: another worker hangs while it counts")


def new_area(size: int) -> int:
    """Make memory for workers to share; return its descriptor, which they are given.

    Raises:
        OSError: the system has no room for it.
    """
    descriptor = _unnamed_file()
    os.truncate(descriptor, _HEAD_BYTES + size)
    os.pwrite(descriptor, _HEAD.pack(_MAGIC, _VERSION, secrets.token_bytes(16)), 0)
    return descriptor


def _unnamed_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("sockudo-rate-limits")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
