"""Runs the supervisor where the `sockudo` command has become it (see `supervisor.reexec`); needs no library."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from sockudo.supervisor.orders import SUPERVISOR_VARIABLE


def supervise_if_told() -> None:
    """Supervise, and exit with the status of that, where this process is the supervisor."""
    if SUPERVISOR_VARIABLE in os.environ:
        # asyncio works without TLS, which the supervisor has no use for: its libraries take 4.5 MB.
        sys.modules.setdefault("ssl", None)  # type: ignore[arg-type]  # None lets an import fail, as documented
        sys.exit(_supervise())


def _supervise() -> int:
    from sockudo import log
    from sockudo.cli.failures import reporting
    from sockudo.supervisor.supervisor import supervise
    from sockudo.supervisor.task import open_standard_streams, take_task

    open_standard_streams()
    task = take_task(os.environ)
    log.configure(**task.logging, plain=True)
    log.write(task.lines)
    with contextlib.suppress(OSError):
        # Lists of processes would show the interpreter.
        Path("/proc/self/comm").write_text("sockudo")
    return reporting(lambda: supervise(task, lambda processes: log.write(task.greeting_with(processes))))
