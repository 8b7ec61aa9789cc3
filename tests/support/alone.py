"""Lets a test marked `alone` have the machine to itself, where pytest-xdist runs tests in several processes.

The other processes finish the test that they are at, and wait until that one is over. Waiting is no part of a test: its
time limit begins when it has its turn.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

import pytest


class Turns:
    """Whose turn it is, among processes that are given the same folder."""

    def __init__(self, folder: Path) -> None:
        # All of a process's tests share the room, or one has it alone. Everybody goes in through the door, and who
        # waits in it for an empty room keeps others from going in.
        self._door = (folder / "door").open("ab")
        self._room = (folder / "room").open("ab")

    @contextlib.contextmanager
    def taken(self, *, alone: bool) -> Iterator[None]:
        """Wait for a turn, and keep it while the context lasts."""
        fcntl.flock(self._door, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        finally:
            fcntl.flock(self._door, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(self._room, fcntl.LOCK_UN)

    def close(self) -> None:
        """Wait for no turn any more."""
        self._door.close()
        self._room.close()


_TURNS: Final = pytest.StashKey[Turns]()


def pytest_configure(config: pytest.Config) -> None:
    """Take part in the turns, as one of several processes."""
    if hasattr(config, "workerinput"):
        assert config.cache is not None
        config.stash[_TURNS] = Turns(config.cache.mkdir("turns"))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take part no more."""
    if _TURNS in config.stash:
        config.stash[_TURNS].close()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run a test in its turn, with what is set up for it and torn down after it."""
    turns = item.config.stash.get(_TURNS, None)
    if turns is None:
        return (yield)
    with turns.taken(alone=item.get_closest_marker("alone") is not None):
        return (yield)
