"""Measures the memory in use, by the narrowest limit on the process, and closes a gate above a threshold.

Used is what cannot be reclaimed: files that the kernel keeps in memory and has not used lately are given up as soon as
somebody needs the room, so they count as free.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from sockudo.log import get_logger
from sockudo.timing.clock import Clock

SAMPLE_INTERVAL: Final = 1.0

_log = get_logger("sockudo.memory")

_SETTING: Final = "http_api.accept_traffic.memory_threshold"
_ROOT: Final = Path("/")
# Version 1 of control groups writes "no limit" as the largest multiple of a page.
_NO_LIMIT: Final = 1 << 60
_MEGABYTE: Final = 1024 * 1024


class Memory(NamedTuple):
    """Bytes."""

    total: int
    used: int

    @property
    def free(self) -> int:
        """Bytes that are not used."""
        return self.total - self.used

    @property
    def share(self) -> float:
        """The used share, 0 to 1."""
        return self.used / self.total if self.total else 0.0


class _Files(NamedTuple):
    """The names that a version of control groups gives to its figures."""

    folder: str
    limit: str
    current: str
    reclaimable: str


_VERSIONS: Final = (
    _Files("sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    _Files("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def read_memory(root: Path | None = None) -> Memory:
    """Return the memory of the container, where it leaves less, else of the machine; zeros where neither is known.

    Args:
        root: where /proc and /sys are.
    """
    root = root or _ROOT
    limits = [*_machine(root), *_containers(root)]
    return min(limits, key=lambda memory: memory.free, default=Memory(0, 0))


class RecentMemory:
    """Tells how much memory is used, looking at most once a second: the kernel's files take longer than a request."""

    def __init__(self, clock: Clock, read: Callable[[], Memory] = read_memory) -> None:
        self._clock = clock
        self._read = read
        self._sampled_at = float("-inf")
        self._memory = Memory(0, 0)

    def read(self) -> Memory:
        """Return the memory as it was at most a second ago."""
        now = self._clock.monotonic()
        if now - self._sampled_at >= SAMPLE_INTERVAL:
            self._sampled_at = now
            self._memory = self._read()
        return self._memory


class MemoryGauge:
    """The memory gate: tells whether memory use is above a threshold, looking at most once a second.

    While it is closed, new connections get 4100 and publishes 503. The log says when it closes and opens.
    """

    def __init__(self, threshold: float, clock: Clock, read: Callable[[], Memory] = read_memory) -> None:
        self._threshold = threshold
        self._clock = clock
        self._read = read
        self._sampled_at = float("-inf")
        self._is_over = False
        self._memory = Memory(0, 0)

    def is_over_threshold(self) -> bool:
        """Tell whether the used share is above the threshold; a threshold of 1 or more is never reached."""
        if self._threshold >= 1:
            return False
        now = self._clock.monotonic()
        if now - self._sampled_at >= SAMPLE_INTERVAL:
            self._sampled_at = now
            self._sample()
        return self._is_over

    def problem(self) -> str:
        """Return why new connections and publishes are refused now, or nothing."""
        if not self.is_over_threshold():
            return ""
        return (
            f"{self._memory.share:.1%} of the memory ({self._memory.total // _MEGABYTE} MB) is used, "
            f"the limit is {self._threshold:.1%} ({_SETTING})"
        )

    def _sample(self) -> None:
        memory = self._memory = self._read()
        is_over = memory.share > self._threshold
        if is_over == self._is_over:
            return
        self._is_over = is_over
        if is_over:
            event = "memory gate closed: new connections are refused with 4100 and publishes with 503"
        else:
            event = "memory gate open again"
        used, total = memory.used // _MEGABYTE, memory.total // _MEGABYTE
        _log.warning(event, used_mb=used, total_mb=total, share=round(memory.share, 3), **{_SETTING: self._threshold})


def _machine(root: Path) -> Iterator[Memory]:
    figures = _figures(root / "proc/meminfo")
    if "MemTotal:" in figures and "MemAvailable:" in figures:
        total = figures["MemTotal:"] * 1024
        yield Memory(total, total - figures["MemAvailable:"] * 1024)


def _containers(root: Path) -> Iterator[Memory]:
    """Yield the memory of each control group around this process that has a limit, versions 2 and 1."""
    for path in _own_groups(root):
        for files in _VERSIONS:
            group = root / files.folder / path
            limit, current = _number(group / files.limit), _number(group / files.current)
            if limit is not None and current is not None and limit < _NO_LIMIT:
                reclaimable = _figures(group / "memory.stat").get(files.reclaimable, 0)
                yield Memory(limit, max(0, current - reclaimable))


def _own_groups(root: Path) -> Iterator[str]:
    """Yield the paths of the groups from the root to the ones of this process.

    Within a container the root is the container's own group, whatever the path says.
    """
    yield "."
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not controllers or "memory" in controllers.split(","):
            parts = [part for part in path.split("/") if part not in ("", "..")]
            yield from ("/".join(parts[:size]) for size in range(1, len(parts) + 1))


def _figures(path: Path) -> dict[str, int]:
    """Return the numbers of a file that has a name and a number on each line."""
    pairs = (line.split()[:2] for line in _text(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


def _number(path: Path) -> int | None:
    """Return the number in a file; None where there is no file, or a word ("max": no limit)."""
    text = _text(path).strip()
    return int(text) if text.isdecimal() else None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
