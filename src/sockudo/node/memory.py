"""How much of the machine's memory is used, by the narrowest limit that the process runs under."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from sockudo.clock import Clock

SAMPLE_INTERVAL: Final = 1.0

_MEMINFO: Final = Path("/proc/meminfo")
_CGROUP_MAX: Final = Path("/sys/fs/cgroup/memory.max")
_CGROUP_CURRENT: Final = Path("/sys/fs/cgroup/memory.current")


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


def read_memory() -> Memory:
    """Return the memory of the container, where it has a limit, else of the machine; zeros where neither is known."""
    limits = [memory for memory in (_machine(), _container()) if memory is not None]
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
    """Tells whether memory use is above a threshold, looking at most once a second."""

    def __init__(self, threshold: float, clock: Clock, read: Callable[[], Memory] = read_memory) -> None:
        self._threshold = threshold
        self._clock = clock
        self._read = read
        self._sampled_at = float("-inf")
        self._is_over = False

    def is_over_threshold(self) -> bool:
        """Tell whether the used share is above the threshold; a threshold of 1 or more is never reached."""
        if self._threshold >= 1:
            return False
        now = self._clock.monotonic()
        if now - self._sampled_at >= SAMPLE_INTERVAL:
            self._sampled_at = now
            self._is_over = self._read().share > self._threshold
        return self._is_over


def _machine() -> Memory | None:
    try:
        lines = _MEMINFO.read_text().splitlines()
    except OSError:
        return None
    kilobytes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    total = kilobytes["MemTotal"] * 1024
    return Memory(total, total - kilobytes["MemAvailable"] * 1024)


def _container() -> Memory | None:
    try:
        total = int(_CGROUP_MAX.read_text())
        return Memory(total, int(_CGROUP_CURRENT.read_text()))
    except (OSError, ValueError):
        # No cgroup v2, or "max": no limit of its own.
        return None
