"""Writes queued frames: one write for each connection at the end of a loop tick.

An outbox is lazy: `None`, then the frame itself, then a list of frames. A lone broadcast therefore costs each
subscriber one attribute and one write; under load the frames of a tick leave joined, and a delivery becomes several
times cheaper, because the system call is nearly all of its cost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

from sockudo.hub.latency import BroadcastLatency

Outbox: TypeAlias = bytes | list[bytes] | None

# Connections written before other work gets its turn: about 1.5 ms.
SLICE: Final = 256


class Flushable(Protocol):
    """An object with an outbox."""

    def flush(self) -> None:
        """Write queued frames, with one call."""


class Flusher:
    """Empties the outboxes that were filled in a tick, at its end, in slices.

    Attributes:
        mark: notes one connection whose outbox has just become non-empty. It does not wake the flusher, so that a
            broadcast wakes it once and not once a subscriber.
        batches: how often so many connections were written in one go; the index is their number.
        latency: what measures broadcasts, if anything does.
    """

    __slots__ = ("_call_soon", "_dirty", "_scheduled", "batches", "latency", "mark")

    def __init__(self, call_soon: Callable[[Callable[[], None]], object]) -> None:
        self._call_soon = call_soon
        self._dirty: deque[Flushable] = deque()
        self._scheduled = False
        self.batches = [0] * (SLICE + 1)
        self.latency: BroadcastLatency | None = None
        self.mark: Callable[[Flushable], None] = self._dirty.append

    def wake(self) -> None:
        """Write everything marked at the end of this tick."""
        if not self._scheduled and self._dirty:
            self._scheduled = True
            self._call_soon(self._flush)

    def _flush(self) -> None:
        # hot path
        dirty, latency = self._dirty, self.latency
        size = len(dirty)
        if size > SLICE:
            size = SLICE
            if latency is not None and latency.pending:
                dirty.append(latency.mark())
        self.batches[size] += 1
        try:
            for _ in range(size):
                dirty.popleft().flush()
        finally:
            # This runs also after a write that raised: only that connection ends, and the others wait for the next
            # turn.
            if dirty:
                self._call_soon(self._flush)
            else:
                self._scheduled = False
                if latency is not None and latency.pending:
                    latency.written()
