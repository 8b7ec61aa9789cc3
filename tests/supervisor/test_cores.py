"""How many cores a process may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sockudo.supervisor.cores import quotas, usable_cores


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def found(folder: Path, own: str) -> list[float]:
    """The quotas below `folder` of a process whose /proc/self/cgroup says `own`."""
    write(folder / "self", own)
    return list(quotas(folder, folder / "self"))


def test_cores_are_at_least_one_and_at_most_the_machines() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("quota", "cores"), [([], 8), ([3.0], 3), ([1.5], 2), ([0.1], 1), ([16.0], 8), ([6.0, 2.0], 2)]
)
def test_the_smallest_quota_counts_rounded_up(quota: list[float], cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr("sockudo.supervisor.cores.quotas", lambda *_: iter(quota))
    assert usable_cores() == cores


def test_without_affinity_the_machines_cores_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    monkeypatch.setattr("sockudo.supervisor.cores.quotas", lambda *_: iter([]))
    assert usable_cores() == 4


def test_a_container_has_its_quota_at_the_root(tmp_path: Path) -> None:
    write(tmp_path / "cpu.max", "150000 100000\n")
    assert found(tmp_path, "0::/\n") == [1.5]


def test_every_group_around_the_process_counts(tmp_path: Path) -> None:
    write(tmp_path / "a" / "cpu.max", "400000 100000\n")
    write(tmp_path / "a" / "b" / "cpu.max", "max 100000\n")
    write(tmp_path / "a" / "b" / "c" / "cpu.max", "50000 100000\n")
    assert found(tmp_path, "0::/a/b/c\n") == [4.0, 0.5]


def test_version_1_has_two_files(tmp_path: Path) -> None:
    write(tmp_path / "cpu" / "d" / "cpu.cfs_quota_us", "200000\n")
    write(tmp_path / "cpu" / "d" / "cpu.cfs_period_us", "100000\n")
    write(tmp_path / "cpu" / "cpu.cfs_quota_us", "-1\n")
    write(tmp_path / "cpu" / "cpu.cfs_period_us", "100000\n")
    assert found(tmp_path, "5:memory:/m\n4:cpuacct,cpu:/d\n") == [2.0]


@pytest.mark.parametrize("text", ["", "max", "max 100000", "x y", "1000 0"])
def test_what_is_no_quota_is_none(text: str, tmp_path: Path) -> None:
    write(tmp_path / "cpu.max", text)
    assert found(tmp_path, "0::/../..\n") == []


def test_where_nothing_can_be_read_there_is_no_quota(tmp_path: Path) -> None:
    assert list(quotas(tmp_path / "none", tmp_path / "nothing")) == []
