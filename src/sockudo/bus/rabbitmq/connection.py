"""One connection to RabbitMQ, with one channel: handshake, requests, heartbeats.

A server answers the requests of a channel in order, so an answer belongs to the request that has waited longest. One
answer confirms everything that was sent in a tick: `basic.qos` changes nothing, and the server answers it when
everything before it is done.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import Final, Protocol

from pamqp import base, commands, common

from sockudo.bus.broker.attachment import RefusedError
from sockudo.bus.broker.connection import BrokerConnection, settle
from sockudo.bus.rabbitmq.options import RabbitOptions, RabbitServer, heartbeat
from sockudo.bus.rabbitmq.wire import CHANNEL, GREETING, HEARTBEAT, LONGEST_FRAME, RabbitParser, method_frame

_CAPABILITIES: Final = ("authentication_failure_close", "connection.blocked", "consumer_cancel_notify")
_CONFIRM: Final = method_frame(commands.Basic.Qos(0, 0, False))
_CLOSING_TIMEOUT: Final = 5.0


class RabbitEvents(Protocol):
    """The link of a connection, which hears from it."""

    def message(self, tag: bytes, key: bytes, message_id: bytes, body: bytes) -> None:
        """Take one message."""

    def disconnected(self, connection: RabbitConnection, reason: str) -> None:
        """Note that the connection is gone."""


class RabbitConnection(BrokerConnection):
    """A connection; `connect` makes one that is ready.

    Attributes:
        longest_frame: the longest frame that the server takes.
        refusal: the reason that the server gave before it closed the connection, if any.
    """

    def __init__(self, events: RabbitEvents, options: RabbitOptions) -> None:
        super().__init__(kind="AMQP", silence_timeout=options.silence_timeout)
        self._events: RabbitEvents | None = events
        self._parser = RabbitParser(events.message, self._take_method)
        self._heartbeat = heartbeat(options)
        self._unconfirmed: list[asyncio.Future[None]] | None = None
        # The callers that wait for each answer, in the order of the requests.
        self._answers: deque[list[asyncio.Future[None]]] = deque()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._server: RabbitServer | None = None
        self.longest_frame = LONGEST_FRAME
        self.refusal: str | None = None

    def request(self, request: bytes) -> asyncio.Future[None]:
        """Send a request; the future is done with the answer, or when the connection is gone."""
        answered: asyncio.Future[None] = self._loop.create_future()
        if self.is_open:
            self.send(request)
            self._answers.append([answered])
        else:
            answered.set_result(None)
        return answered

    def confirm(self) -> asyncio.Future[None]:
        """Return a future that is done when the server has done everything so far, or is gone; it never fails."""
        confirmed: asyncio.Future[None] = self._loop.create_future()
        if not self.is_open:
            confirmed.set_result(None)
            return confirmed
        if self._unconfirmed is None:
            self._unconfirmed = []
            # Wakes the flush, which adds the question.
            self.send(b"")
        self._unconfirmed.append(confirmed)
        return confirmed

    def take(self, data: bytes) -> None:
        """Parse what was read."""
        self._parser.feed(data)

    def ping(self) -> None:
        """Send a heartbeat; the server sends its own unasked."""
        self.send(HEARTBEAT)

    def flush(self) -> None:
        """Write what was sent in this tick, and a question if a caller waits for a confirmation."""
        if self._unconfirmed is not None and self.is_open:
            self._answers.append(self._unconfirmed)
            self._unconfirmed = None
            self._out.append(_CONFIRM)
        super().flush()

    async def introduce(self, server: RabbitServer) -> None:
        """Log in and open the channel.

        Raises:
            RefusedError: the server refuses this node.
            OSError: the connection is lost.
        """
        self._server = server
        self.send(GREETING)
        await self._ready
        if self.refusal is not None:
            raise RefusedError(self.refusal)
        self.expect_open()
        self.watch()

    async def aclose(self) -> None:
        """Close when the server has taken everything that was sent, without a call of `disconnected`."""
        self._events = None
        await asyncio.wait([self.confirm()], timeout=_CLOSING_TIMEOUT)
        if self.is_open:
            self.send(method_frame(commands.Connection.Close(200, "done", 0, 0), 0))
        await self.finish(self._closed)

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone.set_result(None)
        self._end(self.refusal or (str(exc) if exc else "closed by the server"))

    def ended(self, reason: str) -> None:
        """Settle open futures and tell the link."""
        for waiting in (*self._answers, self._unconfirmed or []):
            for future in waiting:
                settle(future)
        self._answers.clear()
        self._unconfirmed = None
        settle(self._ready)
        settle(self._closed)
        if self._events is not None:
            self._events.disconnected(self, reason)

    def _take_method(self, method: base.Frame) -> None:
        match method:
            case commands.Connection.Start():
                self._start(method)
            case commands.Connection.Tune():
                self._tune(method)
            case commands.Connection.OpenOk():
                self.send(method_frame(commands.Channel.Open()))
            case commands.Channel.OpenOk():
                settle(self._ready)
            case commands.Connection.CloseOk():
                settle(self._closed)
            case commands.Connection.Close() | commands.Channel.Close():
                self._refuse(method.reply_text)
            case commands.Connection.Blocked():
                # A blocked server reads nothing from this node. Messages on their way would arrive late.
                self._refuse(f"takes no messages: {method.reason}")
            case commands.Basic.Cancel():
                self._refuse("the queue of this node was deleted")
            case _ if method.name.endswith("Ok"):
                for future in self._answers.popleft() if self._answers else ():
                    settle(future)

    def _start(self, method: commands.Connection.Start) -> None:
        assert self._server is not None, "introduced"
        if "PLAIN" not in method.mechanisms.split():
            self._refuse(f"login with a password is not offered, but {method.mechanisms}")
            return
        capabilities: common.FieldTable = dict.fromkeys(_CAPABILITIES, True)
        properties: common.FieldTable = {"product": "sockudo", "capabilities": capabilities}
        response = f"\0{self._server.username}\0{self._server.password}"
        self.send(method_frame(commands.Connection.StartOk(properties, "PLAIN", response, "en_US"), 0))

    def _tune(self, method: commands.Connection.Tune) -> None:
        assert self._server is not None, "introduced"
        # 0 is no limit.
        self.longest_frame = min(method.frame_max or LONGEST_FRAME, LONGEST_FRAME)
        self.send(method_frame(commands.Connection.TuneOk(CHANNEL, self.longest_frame, self._heartbeat), 0))
        self.send(method_frame(commands.Connection.Open(self._server.vhost), 0))

    def _refuse(self, reason: str) -> None:
        self.refusal = reason
        self.drop(reason)


async def connect(
    server: RabbitServer, options: RabbitOptions, context: ssl.SSLContext | None, events: RabbitEvents
) -> RabbitConnection:
    """Connect to one server.

    Raises:
        OSError: the server cannot be reached.
        RefusedError: the server refuses this node.
    """
    connection = RabbitConnection(events, options)
    try:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: connection, server.host, server.port, ssl=context if server.tls else None)
        await connection.introduce(server)
    except BaseException:
        connection.drop("not connected")
        raise
    return connection
