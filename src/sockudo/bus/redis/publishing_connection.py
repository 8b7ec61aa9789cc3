"""The publishing connection of a link: all messages of one tick leave in one write.

Redis answers each message with the number of its receivers. Nothing uses that number, and it costs both sides a system
call. So where the server and the login allow it (CLIENT REPLY), the server answers the messages of one tick in a tenth
of a second and no others. A refusal is an answer too: after one, the server answers all messages for a second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import hiredis

from sockudo.redis_client.resp import Reply, RespConnection, encode

_BARRIER: Final = b"everything before this was taken"
_REPLY_ON: Final = encode(b"CLIENT", b"REPLY", b"ON")
_REPLY_OFF: Final = encode(b"CLIENT", b"REPLY", b"OFF")
# Seconds between messages that are answered, and seconds in which all are after a refusal.
SAMPLED_EVERY: Final = 0.1
_AFTER_REFUSAL: Final = 1.0


class PublishingConnection:
    """Publishes over one connection, which is logged in and only streams from now on."""

    def __init__(
        self,
        connection: RespConnection,
        verb: bytes,
        *,
        on_other: Callable[[Reply], None],
        on_lost: Callable[[str], None],
        is_quiet: bool = False,
    ) -> None:
        """Take the connection over.

        Args:
            connection: belongs to the publisher from now on.
            verb: the command that publishes.
            on_other: takes each reply that is not the usual one to a message, such as an error.
            on_lost: takes the reason when the connection is lost; called once.
            is_quiet: whether the server may leave out replies.
        """
        self._connection = connection
        self._head = b"*3\r\n$%d\r\n%b\r\n$" % (len(verb), verb)
        self._on_other = on_other
        self._parts: list[bytes] = []
        self._barriers: list[asyncio.Future[None]] = []
        self._call_soon = asyncio.get_running_loop().call_soon
        self._is_quiet = is_quiet
        # When messages are answered again, and until when all are; monotonic.
        self._sample_at = self._heed_until = 0.0
        connection.stream(self._replied, on_lost)
        if is_quiet:
            connection.write(_REPLY_OFF)

    def publish(self, name: bytes, data: bytes) -> None:  # hot path
        """Send one message at the end of this tick."""
        parts = self._parts
        if not parts:
            self._call_soon(self.flush)
        parts.append(b"%b%d\r\n%b\r\n$%d\r\n%b\r\n" % (self._head, len(name), name, len(data), data))

    def flush(self) -> None:
        """Send the messages of this tick now."""
        # hot path
        parts = self._parts
        if parts:
            data = b"".join(parts) if len(parts) > 1 else parts[0]
            self._parts = []
            if self._is_quiet and (now := time.monotonic()) < self._sample_at:
                self._connection.write(data)
            elif self._is_quiet:
                self._sample_at = now + SAMPLED_EVERY if now >= self._heed_until else 0.0
                self.ask(data)
            else:
                self._connection.write(data)

    def ask(self, commands: bytes) -> None:
        """Send encoded commands that the server answers."""
        self._connection.write(b"%b%b%b" % (_REPLY_ON, commands, _REPLY_OFF) if self._is_quiet else commands)

    async def finish(self) -> None:
        """Return when the server has taken every published message; never, if the connection is lost first."""
        self.flush()
        barrier: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._barriers.append(barrier)
        self.ask(encode(b"PING", _BARRIER))
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
            if isinstance(reply, hiredis.ReplyError):
                self._sample_at, self._heed_until = 0.0, time.monotonic() + _AFTER_REFUSAL
            self._on_other(reply)


async def may_be_quiet(connection: RespConnection) -> bool:
    """Return whether a server and its login let a connection leave out replies. Only before the connection streams."""
    return bool(await connection.request(b"CLIENT", b"REPLY", b"ON") == b"OK")
