from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from sockudo.node.memory import Memory, MemoryGauge, RecentMemory, read_memory
from tests.fakes.clock import FakeClock

MEMINFO = "MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    400 kB\nHugePages_Total:       0\n"


MB = 1024 * 1024


class Machine:
    """A folder that takes the place of /."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, text: str) -> None:
        """Write a file."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def container(self, limit: str, current: int, inactive: int, path: str = "") -> None:
        """Have a control group of version 2."""
        folder = f"sys/fs/cgroup{path}"
        self.write(f"{folder}/memory.max", f"{limit}\n")
        self.write(f"{folder}/memory.current", f"{current}\n")
        self.write(f"{folder}/memory.stat", f"anon 1\nfile 99\nactive_file 3\ninactive_file {inactive}\n")

    def container_1(self, limit: int, current: int, inactive: int, path: str = "") -> None:
        """Have a control group of version 1."""
        folder = f"sys/fs/cgroup/memory{path}"
        self.write(f"{folder}/memory.limit_in_bytes", f"{limit}\n")
        self.write(f"{folder}/memory.usage_in_bytes", f"{current}\n")
        self.write(f"{folder}/memory.stat", f"inactive_file 7\ntotal_inactive_file {inactive}\n")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine that says nothing of its memory."""
    return Machine(tmp_path)


def test_free_and_share_follow_from_total_and_used() -> None:
    assert (Memory(1000, 250).free, Memory(1000, 250).share) == (750, 0.25)
    assert (Memory(0, 0).free, Memory(0, 0).share) == (0, 0.0)


def test_a_machine_without_a_container_limit_counts(machine: Machine) -> None:
    machine.write("proc/meminfo", MEMINFO)
    assert read_memory(machine.root) == Memory(1000 * 1024, 600 * 1024)
    machine.container("max", 100, 0)
    assert read_memory(machine.root) == Memory(1000 * 1024, 600 * 1024)


def test_the_limit_of_a_container_counts_where_it_leaves_less(machine: Machine) -> None:
    machine.write("proc/meminfo", MEMINFO)
    machine.container("100000", 60_000, 0)
    assert read_memory(machine.root) == Memory(100_000, 60_000)
    machine.container("100000000", 60_000, 0)
    assert read_memory(machine.root) == Memory(1000 * 1024, 600 * 1024)


def test_memory_that_can_be_reclaimed_is_free(machine: Machine) -> None:
    machine.container(f"{512 * MB}", 462 * MB, 400 * MB)
    assert read_memory(machine.root) == Memory(512 * MB, 62 * MB)
    machine.container(f"{512 * MB}", 100 * MB, 101 * MB)
    assert read_memory(machine.root) == Memory(512 * MB, 0)


def test_a_container_of_version_1_counts_the_same(machine: Machine) -> None:
    machine.write("proc/meminfo", "MemTotal: 64000000 kB\nMemAvailable: 60000000 kB\n")
    machine.container_1(512 * MB, 500 * MB, 10 * MB)
    assert read_memory(machine.root) == Memory(512 * MB, 490 * MB)
    assert MemoryGauge(0.9, FakeClock(), lambda: read_memory(machine.root)).is_over_threshold()
    machine.container_1(9_223_372_036_854_771_712, 500 * MB, 10 * MB)
    assert read_memory(machine.root).total == 64_000_000 * 1024


@pytest.mark.parametrize("version", [1, 2])
def test_the_narrowest_group_around_the_process_counts(machine: Machine, version: int) -> None:
    own = "/kubepods.slice/pod7.slice/app.scope"
    machine.write("proc/self/cgroup", f"0::{own}\n" if version == 2 else f"9:cpu:/other\n4:memory:{own}\n0::/none\n")
    pod, container = (300 * MB, 250 * MB, 50 * MB), (400 * MB, 100 * MB, 0)
    if version == 2:
        machine.container("max", 900 * MB, 0)
        machine.container(str(pod[0]), *pod[1:], path="/kubepods.slice/pod7.slice")
        machine.container(str(container[0]), *container[1:], path=own)
    else:
        machine.container_1(1 << 62, 900 * MB, 0)
        machine.container_1(*pod, path="/kubepods.slice/pod7.slice")
        machine.container_1(*container, path=own)
    assert read_memory(machine.root) == Memory(300 * MB, 200 * MB)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("proc/meminfo", ""),
        ("proc/meminfo", "MemTotal: 5 kB\n"),
        ("proc/meminfo", "nonsense\n\n:\n"),
        ("proc/self/cgroup", "nonsense\n0\n"),
        ("sys/fs/cgroup/memory.max", ""),
        ("sys/fs/cgroup/memory.max", "12"),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "-1"),
    ],
)
def test_where_nothing_is_known_nothing_is_used(machine: Machine, path: str, text: str) -> None:
    machine.write(path, text)
    assert read_memory(machine.root) == Memory(0, 0)
    assert not MemoryGauge(0.0, FakeClock(), lambda: read_memory(machine.root)).is_over_threshold()


def test_the_log_says_when_the_gate_closes_and_opens() -> None:
    clock = FakeClock()
    readings = [Memory(512 * MB, used * MB) for used in (100, 500, 501, 100, 100)]
    gauge = MemoryGauge(0.9, clock, lambda: readings.pop(0))
    with capture_logs() as lines:
        for expected in (False, True, True, False, False):
            assert gauge.is_over_threshold() == expected
            clock.advance(1)
    assert [(line["log_level"], line["event"].partition(":")[0], line["used_mb"]) for line in lines] == [
        ("warning", "memory gate closed", 500),
        ("warning", "memory gate open again", 100),
    ]
    assert {line["http_api.accept_traffic.memory_threshold"] for line in lines} == {0.9}
    assert {line["total_mb"] for line in lines} == {512}


def test_a_problem_has_the_numbers_and_the_setting() -> None:
    problem = MemoryGauge(0.9, FakeClock(), lambda: Memory(512 * MB, 500 * MB)).problem()
    assert problem == (
        "97.7% of the memory (512 MB) is used, the limit is 90.0% (http_api.accept_traffic.memory_threshold)"
    )
    assert MemoryGauge(0.9, FakeClock(), lambda: Memory(512 * MB, 100 * MB)).problem() == ""


def test_only_more_than_the_threshold_is_over_it() -> None:
    assert not MemoryGauge(0.9, FakeClock(), lambda: Memory(100, 90)).is_over_threshold()
    assert MemoryGauge(0.9, FakeClock(), lambda: Memory(100, 91)).is_over_threshold()


@pytest.mark.parametrize("threshold", [1, 1.0, 2.0])
def test_a_threshold_of_one_is_never_reached_or_checked(threshold: float) -> None:
    def read() -> Memory:
        raise AssertionError("nobody needs to know")

    assert not MemoryGauge(threshold, FakeClock(), read).is_over_threshold()


def test_the_gauge_reads_memory_once_a_second_at_most() -> None:
    clock = FakeClock()
    readings = [Memory(100, 95), Memory(100, 10)]
    gauge = MemoryGauge(0.9, clock, lambda: readings.pop(0))
    assert [gauge.is_over_threshold() for _ in range(100)] == [True] * 100
    clock.advance(0.75)
    assert gauge.is_over_threshold()
    clock.advance(0.25)
    assert not gauge.is_over_threshold()
    assert readings == []


def test_recent_memory_is_read_once_a_second_at_most() -> None:
    clock = FakeClock()
    readings = [Memory(100, 95), Memory(100, 10)]
    recent = RecentMemory(clock, lambda: readings.pop(0))
    assert {recent.read() for _ in range(100)} == {Memory(100, 95)}
    clock.advance(1)
    assert {recent.read() for _ in range(100)} == {Memory(100, 10)}
    assert readings == []
