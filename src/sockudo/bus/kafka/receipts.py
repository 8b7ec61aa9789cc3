"""What a broker has taken of the messages that one connection published, and the callers that wait for that."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from sockudo.bus.broker.connection import settle

# Seconds. A broker that hangs delays nobody for longer.
MOST_UNTAKEN: Final = 1.0


class Receipts:
    """Counts the requests of a connection and their answers, which come in the order of the requests."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._sent = 0
        self._taken = 0
        # The broker let a caller wait for too long, and has answered nothing since.
        self._hangs = False
        # Futures, each with the number of the last request that it waits for.
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def sent(self) -> None:
        """Note a request."""
        # hot path
        self._sent += 1

    def answered(self) -> None:
        """Note the answer to the oldest request."""
        # hot path
        self._taken += 1
        self._hangs = False
        waiting = self._waiting
        while waiting and waiting[0][0] <= self._taken:
            settle(waiting.popleft()[1])

    def taken(self) -> asyncio.Future[None] | None:
        """Return a future that is done when everything sent is answered; None where it is, or the broker hangs."""
        # hot path
        if self._taken == self._sent or self._hangs:
            return None
        waiting = self._waiting
        if waiting and waiting[-1][0] == self._sent:
            return waiting[-1][1]
        future: asyncio.Future[None] = self._loop.create_future()
        timer = self._loop.call_later(MOST_UNTAKEN, self._give_up)
        future.add_done_callback(lambda _: timer.cancel())
        waiting.append((self._sent, future))
        return future

    def release(self) -> None:
        """Let everybody go who waits."""
        while self._waiting:
            settle(self._waiting.popleft()[1])

    def _give_up(self) -> None:
        self._hangs = True
        self.release()
