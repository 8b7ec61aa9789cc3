from __future__ import annotations

from pathlib import Path

import pytest

from sockudo.node import memory
from sockudo.node.memory import Memory, MemoryGauge, RecentMemory, read_memory
from tests.support.clock import FakeClock

MEMINFO = "MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    400 kB\nHugePages_Total:       0\n"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that takes the place of /proc and /sys; empty."""
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_CGROUP_MAX", tmp_path / "memory.max")
    monkeypatch.setattr(memory, "_CGROUP_CURRENT", tmp_path / "memory.current")
    return tmp_path


def test_free_and_share_follow_from_total_and_used() -> None:
    assert (Memory(1000, 250).free, Memory(1000, 250).share) == (750, 0.25)
    assert (Memory(0, 0).free, Memory(0, 0).share) == (0, 0.0)


def test_a_machine_without_a_container_limit_counts(machine: Path) -> None:
    (machine / "meminfo").write_text(MEMINFO)
    assert read_memory() == Memory(1000 * 1024, 600 * 1024)
    (machine / "memory.max").write_text("max\n")
    assert read_memory() == Memory(1000 * 1024, 600 * 1024)


def test_the_limit_of_a_container_counts_where_it_leaves_less(machine: Path) -> None:
    (machine / "meminfo").write_text(MEMINFO)
    (machine / "memory.max").write_text("100000\n")
    (machine / "memory.current").write_text("60000\n")
    assert read_memory() == Memory(100_000, 60_000)
    (machine / "memory.max").write_text("100000000\n")
    assert read_memory() == Memory(1000 * 1024, 600 * 1024)


def test_where_nothing_is_known_nothing_is_used(machine: Path) -> None:
    assert read_memory() == Memory(0, 0)
    assert not MemoryGauge(0.0, FakeClock()).is_over_threshold()


def test_only_more_than_the_threshold_is_over_it() -> None:
    assert not MemoryGauge(0.9, FakeClock(), lambda: Memory(100, 90)).is_over_threshold()
    assert MemoryGauge(0.9, FakeClock(), lambda: Memory(100, 91)).is_over_threshold()


@pytest.mark.parametrize("threshold", [1, 1.0, 2.0])
def test_a_threshold_of_one_is_never_reached_and_never_looked_for(threshold: float) -> None:
    def read() -> Memory:
        raise AssertionError("nobody needs to know")

    assert not MemoryGauge(threshold, FakeClock(), read).is_over_threshold()


def test_memory_is_looked_at_once_a_second_however_often_it_is_asked_for() -> None:
    clock = FakeClock()
    readings = [Memory(100, 95), Memory(100, 10)]
    gauge = MemoryGauge(0.9, clock, lambda: readings.pop(0))
    assert [gauge.is_over_threshold() for _ in range(100)] == [True] * 100
    clock.advance(0.75)
    assert gauge.is_over_threshold()
    clock.advance(0.25)
    assert not gauge.is_over_threshold()
    assert readings == []


def test_recent_memory_is_read_once_a_second_however_often_it_is_asked_for() -> None:
    clock = FakeClock()
    readings = [Memory(100, 95), Memory(100, 10)]
    recent = RecentMemory(clock, lambda: readings.pop(0))
    assert {recent.read() for _ in range(100)} == {Memory(100, 95)}
    clock.advance(1)
    assert {recent.read() for _ in range(100)} == {Memory(100, 10)}
    assert readings == []
