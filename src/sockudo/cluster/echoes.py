"""Waits until everything that other nodes have published by now has arrived here: each answers a question behind it.

Only an answer to this question counts: a heartbeat that arrives meanwhile may have been sent long before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from sockudo.timing.clock import Clock


class Echoes:
    """The answers to one question at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._question = 0
        self._missing: set[str] = set()
        self._change = asyncio.Event()

    async def all_heard(self, node_ids: Iterable[str], ask: Callable[[int], None]) -> None:
        """Wait until each of these nodes has answered, or is gone; `ask` sends the question, given its number."""
        self._question += 1
        self._missing = set(node_ids)
        asked_at = self._clock.monotonic()
        ask(self._question)
        while self._missing:
            self._change.clear()
            await self._change.wait()
        # On a bus of several servers, events may take another way than the answers, and so arrive after them; they get
        # as much time as the answers took.
        await asyncio.sleep(self._clock.monotonic() - asked_at)

    def heard(self, node_id: str, question: int) -> None:
        """Take the answer of a node."""
        if question == self._question:
            self.forget(node_id)

    def forget(self, node_id: str) -> None:
        """Stop waiting for a node."""
        self._missing.discard(node_id)
        self._change.set()
