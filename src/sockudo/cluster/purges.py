"""Forgetting nodes that are gone: bit by bit, so that one with a hundred thousand connections never holds the loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from sockudo.clock import Clock
from sockudo.cluster.replica import Change, Replica


class Purges:
    """Takes what nodes had from the replica, a step in each tick, the first of them at once."""

    def __init__(self, replica: Replica, clock: Clock, changed: Callable[[list[Change]], None]) -> None:
        self._replica = replica
        self._clock = clock
        self._changed = changed
        self._running: dict[str, Iterator[list[Change]]] = {}

    def begin(self, node_id: str) -> None:
        """Forget a node."""
        steps = self._running[node_id] = self._replica.purging(node_id)
        self._go_on(node_id, steps)

    def stop(self, node_id: str) -> None:
        """Leave what a node has: it is back, and its snapshot will say what that is."""
        self._running.pop(node_id, None)

    def _go_on(self, node_id: str, steps: Iterator[list[Change]]) -> None:
        if self._running.get(node_id) is not steps:
            return
        changes = next(steps, None)
        if changes is None:
            del self._running[node_id]
            return
        self._clock.call_soon(partial(self._go_on, node_id, steps))
        self._changed(changes)
