"""Keeps signals waiting where none may end the process by itself: while a server starts, and when it has stopped."""

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


def keep_signals() -> None:
    """Let signals wait from now on."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _signals())


def drop_signals() -> None:
    """Let no signal do anything any more, those that have waited included; to be called when no event loop has them."""
    for number in _signals():
        signal.signal(number, signal.SIG_IGN)


def take_kept_signals() -> None:
    """Let the signals come that have waited."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _signals())


def _signals() -> tuple[signal.Signals, ...]:
    # No constant: Windows, where nothing is supervised, has not all of them.
    return (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
