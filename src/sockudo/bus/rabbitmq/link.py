"""A link to one RabbitMQ server: one connection publishes and one receives; both open and close together.

They are two because a server that is short of memory or disk reads nothing more from a connection that publishes.

* All messages go through one direct exchange, named like the prefix. A node has a queue of its own, which the server
  deletes with the connection, and binds it to its topics. The server keeps nothing on disk but the exchange itself.
* Messages that a node does not take wait in its queue up to a limit. Beyond that the server drops messages, and puts
  them into a second queue, of one message. A node that finds a message there has missed some.
* A link is ready when a message has come through it. A server with an alarm, or one that does not allow publishing,
  says so only after a message.
* A message of a node to itself comes back behind all that waited in its queue; then the node has caught up.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections import deque
from collections.abc import Callable
from typing import Final

from pamqp import commands, common

from sockudo.bus.broker.attachment import RefusedError
from sockudo.bus.broker.connection import settle
from sockudo.bus.rabbitmq.connection import RabbitConnection, connect
from sockudo.bus.rabbitmq.options import RabbitOptions, RabbitServer
from sockudo.bus.rabbitmq.wire import bind_frame, content_frames, method_frame, publish_frame, unbind_frame

# Servers may refuse messages of more than 16 MB.
_LONGEST_PIECE: Final = 4 * 1024 * 1024
_MESSAGES: Final = b"m"
_DROPPED: Final = b"d"

Heard = Callable[[bytes, bytes, bytes], None]
Lost = Callable[["RabbitLink", str], None]


class RabbitLink:
    """A link; `open` makes it ready. The link calls `lost` once, with the reason why it ended."""

    longest_piece = _LONGEST_PIECE

    def __init__(self, options: RabbitOptions, heard: Heard, lost: Lost) -> None:
        """Make a link. `heard` takes the routing key, the message id and the body of a message."""
        self._options = options
        self._heard = heard
        self._lost: Lost | None = lost
        self._exchange = options.prefix.encode()
        self._queue = b"%b.%b" % (self._exchange, os.urandom(8).hex().encode())
        self._publisher: RabbitConnection | None = None
        self._subscriber: RabbitConnection | None = None
        self._loop = asyncio.get_running_loop()
        # The callers that wait for the next message to this node itself, and for those that are on their way back.
        self._behind: list[asyncio.Future[None]] = []
        self._probes: deque[list[asyncio.Future[None]]] = deque()
        self.is_open = True
        self.reason = ""

    async def open(self, server: RabbitServer, context: ssl.SSLContext | None) -> None:
        """Connect, set up exchange and queue, and send a message through them.

        Raises:
            OSError: the server cannot be reached, or not in time.
            RefusedError: the server refuses this node.
        """
        timeout = self._options.connection_timeout_ms / 1000
        try:
            async with asyncio.timeout(timeout):
                self._subscriber = await connect(server, self._options, context, self)
                self._publisher = await connect(server, self._options, context, self)
                await self._set_up(self._subscriber)
                await self.caught_up(self._queue)
        except TimeoutError:
            self.drop("no answer")
            raise TimeoutError(f"no answer in {timeout:g} s") from None
        except BaseException:
            self.drop("not connected")
            raise
        self._expect_agreement()

    def publish(self, address: bytes, label: bytes, data: bytes) -> None:
        """Send a message; its first frame is that of its topic, and its message id is the label."""
        # hot path
        connection = self._publisher
        assert connection is not None, "opened"
        connection.send(address + content_frames(label, data, connection.longest_frame))

    def bind(self, key: bytes) -> None:
        """Receive messages with a key; `confirm` returns when that is so."""
        assert self._subscriber is not None, "opened"
        self._subscriber.send(bind_frame(self._queue, self._exchange, key))

    def unbind(self, key: bytes) -> None:
        """Receive messages with a key no more."""
        assert self._subscriber is not None, "opened"
        self._subscriber.request(unbind_frame(self._queue, self._exchange, key))

    def confirm(self) -> asyncio.Future[None]:
        """Return a future that is done when every key is bound, or the link is gone; it never fails."""
        assert self._subscriber is not None, "opened"
        return self._subscriber.confirm()

    def caught_up(self, key: bytes) -> asyncio.Future[None]:
        """Return a future that is done when every message that waited in the queue is here, or the link is gone."""
        future: asyncio.Future[None] = self._loop.create_future()
        if not self.is_open:
            settle(future)
            return future
        if not self._behind:
            self._loop.call_soon(self._probe)
        self._behind.append(future)
        return future

    def drop(self, reason: str) -> None:
        """End the link at once."""
        if not self.is_open:
            return
        self.is_open = False
        self.reason = reason
        for connection in (self._publisher, self._subscriber):
            if connection is not None:
                connection.drop(reason)
        for waiting in (*self._probes, self._behind):
            for future in waiting:
                settle(future)
        self._probes.clear()
        self._behind = []
        if self._lost is not None:
            self._lost(self, reason)

    async def aclose(self) -> None:
        """Close when the server has taken everything that was sent, without a call of `lost`."""
        self._lost = None
        # The publisher first: its last messages may be for this node's own queue.
        for connection in (self._publisher, self._subscriber):
            if connection is not None:
                await connection.aclose()
        self.drop("closed")

    # Called by the connections

    def message(self, tag: bytes, key: bytes, message_id: bytes, body: bytes) -> None:
        """Hand one message on."""
        # hot path
        if tag != _MESSAGES:
            self.drop("the server dropped messages that this node did not take in time")
        elif key != self._queue:
            self._heard(key, message_id, body)
        else:
            for future in self._probes.popleft() if self._probes else ():
                settle(future)

    def disconnected(self, connection: RabbitConnection, reason: str) -> None:
        """End the link with either of its connections."""
        self.drop(reason)

    def _probe(self) -> None:
        if self._behind and self.is_open:
            self._probes.append(self._behind)
            self._behind = []
            self.publish(publish_frame(self._exchange, self._queue), b"", b"")

    async def _set_up(self, subscriber: RabbitConnection) -> None:
        exchange, queue = self._exchange.decode(), self._queue.decode()
        dropped = f"{queue}.dropped"
        limits: common.FieldTable = {
            "x-max-length-bytes": self._options.max_queue_mb * 1024 * 1024,
            "x-overflow": "drop-head",
            "x-dead-letter-exchange": exchange,
            "x-dead-letter-routing-key": dropped,
        }
        steps = (
            commands.Exchange.Declare(0, exchange, "direct", durable=True),
            _private_queue(queue, limits),
            _private_queue(dropped, {"x-max-length": 1}),
            commands.Queue.Bind(0, queue, exchange, queue),
            commands.Queue.Bind(0, dropped, exchange, dropped),
            commands.Basic.Consume(0, queue, _MESSAGES.decode(), no_ack=True),
            commands.Basic.Consume(0, dropped, _DROPPED.decode(), no_ack=True),
        )
        await asyncio.gather(*[subscriber.request(method_frame(step)) for step in steps])
        self._expect_agreement()

    def _expect_agreement(self) -> None:
        # The connection that the server refused has the reason; the other one closed with it.
        for connection in (self._publisher, self._subscriber):
            if connection is not None and connection.refusal is not None:
                raise RefusedError(connection.refusal)
        if not self.is_open:
            raise ConnectionResetError(self.reason)


def _private_queue(name: str, limits: common.FieldTable) -> commands.Queue.Declare:
    arguments: common.FieldTable = {"x-queue-type": "classic", **limits}
    return commands.Queue.Declare(0, name, exclusive=True, auto_delete=True, arguments=arguments)
