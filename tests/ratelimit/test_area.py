from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from subprocess import PIPE

import pytest

from sockudo.ratelimit import area
from sockudo.ratelimit.area import AreaError, SharedArea, new_area

_HOLDER = """
import sys, time
from sockudo.ratelimit.area import SharedArea
area = SharedArea(int(sys.argv[1]), 4096)
area.lock(3)
print("locked", flush=True)
time.sleep(600)
"""


@contextlib.contextmanager
def holder(descriptor: int) -> Iterator[subprocess.Popen[str]]:
    """A process that locks the third table and does not let go."""
    command = [sys.executable, "-c", _HOLDER, str(descriptor)]
    process = subprocess.Popen(command, pass_fds=(descriptor,), stdout=PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_lock_keeps_other_processes_from_its_table_alone() -> None:
    descriptor = new_area(4096)
    shared = SharedArea(descriptor, 4096)
    with holder(descriptor):
        shared.lock(2)
        shared.unlock(2)
        with pytest.raises(AreaError, match=r"rate_limiter\.driver memory: another worker hangs"):
            shared.lock(3)
    os.close(descriptor)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_of_a_process_that_dies_is_free(number: signal.Signals) -> None:
    descriptor = new_area(4096)
    shared = SharedArea(descriptor, 4096)
    with holder(descriptor) as process:
        process.send_signal(number)
        process.wait()
    shared.lock(3)
    os.close(descriptor)


def test_a_hung_process_is_not_waited_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(area, "_STUCK_SECONDS", 600.0)
    descriptor, naps = new_area(4096), 0
    shared = SharedArea(descriptor, 4096)

    def nap(seconds: float) -> None:
        nonlocal naps
        naps += 1

    with holder(descriptor):
        with pytest.raises(AreaError):
            shared.lock(3)
        monkeypatch.setattr(time, "sleep", nap)
        with pytest.raises(AreaError):
            shared.lock(3)
    assert naps == 0
    shared.lock(3)
    os.close(descriptor)


def test_what_one_process_writes_another_reads() -> None:
    descriptor = new_area(4096)
    one, other = SharedArea(descriptor, 4096), SharedArea(descriptor, 4096)
    one.memory[5] = 7
    assert (other.memory[5], one.secret) == (7, other.secret)
    os.close(descriptor)


def test_memory_of_another_version_stops_the_start() -> None:
    descriptor = new_area(4096)
    os.pwrite(descriptor, b"\x02", 8)
    with pytest.raises(AreaError, match="restart the whole server"):
        SharedArea(descriptor, 4096)
    os.close(descriptor)


def test_a_descriptor_that_is_none_stops_the_start() -> None:
    with pytest.raises(AreaError, match="is unusable"):
        SharedArea(10_000, 4096)
