"""Work in steps, run to its end in one go, as the slices of an event loop run it in many turns."""

from __future__ import annotations

import time
from typing import TypeVar

from sockudo.timing.slices import Steps

T = TypeVar("T")


def finished(steps: Steps[T]) -> T:
    """Return the result of steps that wait for nothing."""
    return watched_steps(steps)[0]


def watched_steps(steps: Steps[T]) -> tuple[T, float, int]:
    """Return the result of steps, the CPU seconds that the longest of them took, and how many they were."""
    longest, count = 0.0, 0
    while True:
        before = time.thread_time()
        try:
            assert next(steps) is None, "the steps wait for something"
        except StopIteration as stopped:
            result: T = stopped.value
            return result, max(longest, time.thread_time() - before), count + 1
        longest = max(longest, time.thread_time() - before)
        count += 1
