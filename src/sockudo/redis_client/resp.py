"""One connection to a Redis server: bytes out, parsed replies in. It knows the wire protocol, but no command.

Strategy: no message is awaited. Written bytes go to the transport at once, so callers join the commands of one tick
first. All replies of one read are handed on before control goes back to the event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final, cast

import hiredis

from sockudo.errors import DriverError

# A reply is bytes, an integer, None, a list of replies or a `hiredis.ReplyError`.
Reply = Any
OnReply = Callable[[Reply], None]
OnLost = Callable[[str], None]

_MORE: Final = object()


def encode(*words: bytes) -> bytes:
    """Write a command as Redis reads it."""
    return b"*%d\r\n" % len(words) + b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in words])


class RespConnection(asyncio.Protocol):
    """A connection that answers requests one by one at first, and streams all replies to `on_reply` later."""

    def __init__(self, max_unsent_bytes: int, request_timeout: float) -> None:
        self._max_unsent_bytes = max_unsent_bytes
        self._request_timeout = request_timeout
        self._reader = hiredis.Reader(notEnoughData=_MORE)
        # The parser keeps its buffer between reads, except after a very long message.
        self._reader.setmaxbuf(1024 * 1024)
        self._transport: asyncio.Transport | None = None
        self._requests: deque[asyncio.Future[Reply]] = deque()
        self._on_reply: OnReply = self._answer_request
        self._on_lost: OnLost | None = None
        self._loss: str | None = None
        self._ended: asyncio.Future[None] | None = None
        # Every read sets it; a link that watches for silence resets it.
        self.has_heard = False

    @property
    def is_open(self) -> bool:
        """Whether bytes can still be sent."""
        return self._transport is not None and self._loss is None

    @property
    def address(self) -> str:
        """The local address, such as 127.0.0.1:50000, as the server sees it; empty for a unix socket."""
        name = self._transport.get_extra_info("sockname") if self._transport is not None else None
        if not isinstance(name, tuple):
            return ""
        return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"

    def write(self, data: bytes) -> None:
        """Send bytes; after a loss they are dropped."""
        if self._transport is not None and self._loss is None:
            self._transport.write(data)

    async def request(self, *words: bytes) -> Reply:
        """Send one command and wait for its reply, which may be a `hiredis.ReplyError`. Only before `stream`.

        Raises:
            DriverError: there is no reply, because the connection was lost or the server is silent.
        """
        if self._loss is not None:
            raise DriverError(self._loss)
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._requests.append(reply)
        self.write(encode(*words))
        try:
            async with asyncio.timeout(self._request_timeout):
                return await reply
        except TimeoutError:
            raise DriverError(f"no answer in {self._request_timeout:g} s") from None

    def stream(self, on_reply: OnReply, on_lost: OnLost) -> None:
        """Hand every reply to `on_reply` from now on, and the reason of the end to `on_lost`, once."""
        self._on_reply = on_reply
        self._on_lost = on_lost
        if self._loss is not None:
            asyncio.get_running_loop().call_soon(on_lost, self._loss)

    def fail(self, reason: str) -> None:
        """Give the connection up; no reply is handed on any more."""
        if self._loss is not None:
            return
        self._loss = reason
        self._on_reply = _ignore
        if self._transport is not None:
            self._transport.abort()
        for reply in self._requests:
            if not reply.done():
                reply.set_exception(DriverError(reason))
        self._requests.clear()
        if self._on_lost is not None:
            self._on_lost(reason)

    def close(self) -> None:
        """Close the connection without calling `on_lost`."""
        self._on_lost = None
        self.fail("closed")

    async def ended(self) -> None:
        """Return when the transport is gone."""
        if self._ended is not None:
            await asyncio.wait({self._ended})

    async def abandon(self) -> None:
        """Close the connection and return when its transport is gone."""
        self.close()
        await self.ended()

    # The callbacks of the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # The transports of uvloop are not instances of asyncio's class.
        self._transport = cast(asyncio.Transport, transport)
        self._ended = asyncio.get_running_loop().create_future()
        self._transport.set_write_buffer_limits(high=self._max_unsent_bytes)

    def data_received(self, data: bytes) -> None:  # hot path
        self.has_heard = True
        reader = self._reader
        try:
            reader.feed(data)
            # `_on_reply` is looked up each time, because a reply may end the connection.
            while (reply := reader.gets()) is not _MORE:
                self._on_reply(reply)
        except hiredis.ProtocolError:
            self.fail("the server does not speak the protocol of Redis")

    def pause_writing(self) -> None:
        self.fail(f"the server does not read: more than {self._max_unsent_bytes} bytes are unsent")

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(f"the connection broke: {exc}" if exc is not None else "the server closed the connection")
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    def _answer_request(self, reply: Reply) -> None:
        if self._requests:
            request = self._requests.popleft()
            if not request.done():
                request.set_result(reply)


def _ignore(reply: Reply) -> None:
    """Drop a reply that arrives after the end."""
