"""Counts the processor cores that this process may use, by affinity and container quota."""

from __future__ import annotations

import os
from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import Final

_CGROUPS: Final = Path("/sys/fs/cgroup")
_OWN_CGROUP: Final = Path("/proc/self/cgroup")


def usable_cores() -> int:
    """Return at least 1. A quota of one core and a half counts as two."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux says which cores a process may use
        cores = os.cpu_count() or 1
    return max(1, min(cores, *(ceil(quota) for quota in quotas(_CGROUPS, _OWN_CGROUP)), cores))


def quotas(cgroups: Path, own_cgroup: Path) -> Iterator[float]:
    """Yield the quotas, in cores, of the control groups around this process, version 2 and 1."""
    for path in _own_groups(own_cgroup):
        yield from _quota(_words(cgroups / path / "cpu.max"))
        yield from _quota(
            _words(cgroups / "cpu" / path / "cpu.cfs_quota_us") + _words(cgroups / "cpu" / path / "cpu.cfs_period_us")
        )


def _own_groups(own_cgroup: Path) -> Iterator[str]:
    """Yield the paths of the groups from the root to the one of this process.

    Within a container the root is the container's own group, whatever the path says.
    """
    yield "."
    for line in _text(own_cgroup).splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers or "cpu" in controllers.split(","):
            parts = [part for part in path.split("/") if part not in ("", "..")]
            yield from ("/".join(parts[:size]) for size in range(1, len(parts) + 1))


def _quota(words: list[str]) -> Iterator[float]:
    if len(words) == 2 and words[0].isdigit() and words[1].isdigit() and int(words[1]):
        yield int(words[0]) / int(words[1])


def _words(path: Path) -> list[str]:
    return _text(path).split()


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
