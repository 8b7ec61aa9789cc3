"""The publishing connection of a link: all messages of one tick leave in one write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import hiredis

from sockudo.redis_client.resp import Reply, RespConnection, encode

_BARRIER: Final = b"everything before this was taken"


class PublishingConnection:
    """Publishes over one connection, which is logged in and only streams from now on."""

    def __init__(
        self,
        connection: RespConnection,
        verb: bytes,
        *,
        on_other: Callable[[Reply], None],
        on_lost: Callable[[str], None],
    ) -> None:
        """Take the connection over.

        Args:
            connection: belongs to the publisher from now on.
            verb: the command that publishes.
            on_other: takes each reply that is not the usual one to a message, such as an error.
            on_lost: takes the reason when the connection is lost; called once.
        """
        self._connection = connection
        self._head = b"*3\r\n$%d\r\n%b\r\n$" % (len(verb), verb)
        self._on_other = on_other
        self._parts: list[bytes] = []
        self._barriers: list[asyncio.Future[None]] = []
        self._call_soon = asyncio.get_running_loop().call_soon
        connection.stream(self._replied, on_lost)

    def publish(self, name: bytes, data: bytes) -> None:  # hot path
        """Send one message at the end of this tick."""
        parts = self._parts
        if not parts:
            self._call_soon(self.flush)
        parts.append(b"%b%d\r\n%b\r\n$%d\r\n%b\r\n" % (self._head, len(name), name, len(data), data))

    def flush(self) -> None:
        """Send the messages of this tick now."""
        parts = self._parts
        if parts:
            self._connection.write(b"".join(parts) if len(parts) > 1 else parts[0])
            self._parts = []

    async def finish(self) -> None:
        """Return when the server has taken every published message; never, if the connection is lost first."""
        self.flush()
        barrier: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._barriers.append(barrier)
        self._connection.write(encode(b"PING", _BARRIER))
        await barrier

    def _replied(self, reply: Reply) -> None:  # hot path
        # The number of nodes that heard the message; nothing uses it.
        if type(reply) is int:
            return
        if reply == _BARRIER:
            barrier = self._barriers.pop(0)
            if not barrier.done():
                barrier.set_result(None)
        elif isinstance(reply, (hiredis.ReplyError, list)):
            self._on_other(reply)
