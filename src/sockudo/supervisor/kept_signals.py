"""Keeps the signals for a supervisor waiting while the command becomes it, so that none of them ends the process."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def keeping_signals() -> Iterator[None]:
    """Let signals wait, also in the program that this process becomes, until that calls `take_kept_signals`."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def take_kept_signals() -> None:
    """Let the signals come that have waited."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _signals())


def _signals() -> tuple[signal.Signals, ...]:
    # No constant: Windows, where nothing is supervised, has not all of them.
    return (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
