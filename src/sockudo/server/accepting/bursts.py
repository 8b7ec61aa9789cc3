"""Accepts several sockets in each turn of the loop while many come, as after a deploy.

libuv accepts one socket a turn from each listener, and each turn costs as much as the socket itself. Further listeners
on the same socket take more of them in one turn, but each one costs a failing `accept` where nobody waits: so there are
some only while many clients come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from socket import socket
from typing import Final

from sockudo.log import get_logger

# This many sockets in so many seconds are a burst. Measured on one core: connect, subscribe and drop takes 142 us of
# CPU with one listener, 90 with 16 of them; at 800 sockets a second, which is less than a burst, 167 and 225.
_MANY: Final = 32
_WITHIN: Final = 0.032
_EXTRA: Final = 15
# Seconds without a burst after which the further listeners are closed.
_QUIET: Final = 1.0

_log = get_logger("sockudo.server")

ProtocolFactory = Callable[[], asyncio.Protocol]
Listen = Callable[[socket, ProtocolFactory], Awaitable[asyncio.Server]]


class Bursts:
    """Opens further listeners while many clients come.

    Args:
        factory: makes the protocol of a socket.
        listen: listens on a bound socket, which it owns from then on.

    Attributes:
        bound: the sockets that this process listens on.
    """

    def __init__(self, factory: ProtocolFactory, listen: Listen) -> None:
        self.bound: list[socket] = []
        self._factory = factory
        self._listen = listen
        self._loop = asyncio.get_running_loop()
        # asyncio's own loop accepts as many as the backlog has.
        self._is_needed = type(self._loop).__module__.startswith("uvloop")
        self._count = 0
        self._began = self._last_burst = self._loop.time()
        self._further: list[asyncio.Server] = []
        self._opening: asyncio.Task[None] | None = None
        self._closing: asyncio.TimerHandle | None = None
        self._is_closed = False

    @property
    def further_count(self) -> int:
        """How many further listeners there are."""
        return len(self._further)

    def protocol(self) -> asyncio.Protocol:
        """Return the protocol of a new socket, and count it."""
        # hot path
        self._count += 1
        if self._count == _MANY:
            self._look()
        return self._factory()

    def close(self) -> None:
        """Close the further listeners for good."""
        self._is_closed = True
        if self._opening is not None:
            self._opening.cancel()
        self._close_further()

    def _look(self) -> None:
        now = self._loop.time()
        if now - self._began <= _WITHIN:
            self._last_burst = now
            if self._is_needed and not (self._further or self._opening or self._is_closed):
                self._opening = self._loop.create_task(self._open())
        self._count = 0
        self._began = now

    async def _open(self) -> None:
        try:
            for bound in self.bound:
                for _ in range(_EXTRA):
                    await self._open_one(bound)
        except OSError as error:
            # Most likely the limit on open files: those that there are go on.
            _log.debug("further listeners unavailable", reason=str(error))
        finally:
            self._opening = None
        if self._further and self._closing is None:
            self._closing = self._loop.call_later(_QUIET, self._close_if_quiet)

    async def _open_one(self, bound: socket) -> None:
        another = bound.dup()
        try:
            self._further.append(await self._listen(another, self.protocol))
        except BaseException:
            another.close()
            raise

    def _close_if_quiet(self) -> None:
        rest = self._last_burst + _QUIET - self._loop.time()
        if rest > 0:
            self._closing = self._loop.call_later(rest, self._close_if_quiet)
        else:
            self._close_further()

    def _close_further(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        for listener in self._further:
            listener.close()
        self._further.clear()
