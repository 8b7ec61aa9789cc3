"""One connection to a NATS server: handshake, confirmations.

One PING asks for a confirmation of everything that was sent in a tick: a server answers in order, so its PONG says that
everything before it is done. That does not hold for other connections: a server reads all of them at the same time, so
a busy one may answer a PING before it handles a message that arrived first. It has handled it when it answers a second
PING.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import deque
from typing import Any, Final, Protocol

from sockudo.bus.broker.attachment import RefusedError
from sockudo.bus.broker.connection import BadBytesError, BrokerConnection, settle
from sockudo.bus.nats.options import Credentials, NatsOptions, NatsServer, asks_for_tls
from sockudo.bus.nats.wire import NatsParser, encode_prefix
from sockudo.eventual import later

# Subject and subscription with which a new connection asks whether it may use the prefix.
_PROBE: Final = b"PROBE"


class NatsEvents(Protocol):
    """The adapter of a connection, which hears from it."""

    def heard(self, key: bytes, label: bytes, data: bytes) -> None:
        """Take one message: the number of its subscription, its reply subject, and its payload."""

    def refused(self, reason: str) -> None:
        """Note that the server refused something and goes on."""

    def lost(self, link: NatsConnection, reason: str) -> None:
        """Note that the connection is gone."""


class NatsConnection(BrokerConnection):
    """A connection, and at the same time the link of the adapter; `connect` makes one that is ready.

    Attributes:
        longest_piece: the `max_payload` of the server.
    """

    def __init__(self, events: NatsEvents, options: NatsOptions) -> None:
        super().__init__(kind="NATS", silence_timeout=options.request_timeout_ms / 1000)
        self._events: NatsEvents | None = events
        self._parser = NatsParser(events.heard, self._command)
        self._unconfirmed: list[asyncio.Future[None]] | None = None
        self._pongs: deque[list[asyncio.Future[None]]] = deque()
        self._greeting: asyncio.Future[None] = self._loop.create_future()
        self._is_ready = False
        self._refusal: str | None = None
        self.info: dict[str, Any] = {}
        self.longest_piece = 1024 * 1024

    def confirm(self) -> asyncio.Future[None]:
        """Return a future that is done when the server has taken everything so far, or is gone; it never fails."""
        confirmed: asyncio.Future[None] = self._loop.create_future()
        if not self.is_open:
            confirmed.set_result(None)
            return confirmed
        if self._unconfirmed is None:
            self._unconfirmed = []
            # Wakes the flush, which adds the PING.
            self.send(b"")
        self._unconfirmed.append(confirmed)
        return confirmed

    def publish(self, address: bytes, label: bytes, data: bytes) -> None:
        """Send a message to a subject; its label is the reply subject."""
        # hot path
        # What `send` does, without its call: 30 of 530 ns.
        if not self._out:
            self._loop.call_soon(self.flush)
        self._out.append(b"PUB %b %b %d\r\n%b\r\n" % (address, label, len(data), data))

    def caught_up(self, key: bytes) -> asyncio.Future[None]:
        """Return a future that is done when every earlier message is here, or the server is gone; it never fails."""
        return later(self.confirm(), lambda _: self.confirm())

    def take(self, data: bytes) -> None:
        """Parse what was read."""
        self._parser.feed(data)

    def ping(self) -> None:
        """Ask for a PONG."""
        self.confirm()

    def flush(self) -> None:
        """Write what was sent in this tick, and a PING if a caller waits for a confirmation."""
        if self._unconfirmed is not None and self.is_open:
            self._pongs.append(self._unconfirmed)
            self._unconfirmed = None
            self._out.append(b"PING\r\n")
        super().flush()

    async def aclose(self) -> None:
        """Close when the server has taken everything that was sent, without a call of `lost`."""
        self._events = None
        await self.finish(self.confirm())

    async def greeted(self) -> None:
        """Wait for INFO."""
        await self._greeting
        self.expect_open()

    async def introduce(self, fields: dict[str, Any], prefix: bytes) -> None:
        """Log in and ask whether this node may use the prefix; return when the server agrees."""
        probe = b"%b.%b" % (prefix, _PROBE)
        self.send(b"CONNECT %b\r\n" % json.dumps(fields).encode())
        self.send(b"SUB %b %b\r\nPUB %b 0\r\n\r\nUNSUB %b\r\n" % (probe, _PROBE, probe, _PROBE))
        await self.confirm()
        if self._refusal is not None:
            raise RefusedError(self._refusal)
        self.expect_open()
        self._is_ready = True
        self.watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone.set_result(None)
        self._end(self._refusal or (str(exc) if exc else "closed by the server"))

    def ended(self, reason: str) -> None:
        """Settle open futures and tell the adapter."""
        for waiting in (*self._pongs, self._unconfirmed or []):
            for future in waiting:
                settle(future)
        self._pongs.clear()
        self._unconfirmed = None
        settle(self._greeting)
        if self._events is not None:
            self._events.lost(self, reason)

    def _command(self, verb: bytes, argument: bytes) -> None:
        if verb == b"PING":
            self.send(b"PONG\r\n")
        elif verb == b"PONG":
            for future in self._pongs.popleft() if self._pongs else ():
                settle(future)
        elif verb == b"INFO":
            self._take_info(argument)
        elif verb == b"-ERR":
            self._take_error(argument.decode("utf-8", "replace").strip(" '"))
        elif verb != b"+OK":
            raise BadBytesError("an unknown command")

    def _take_info(self, argument: bytes) -> None:
        try:
            info = json.loads(argument)
        # RecursionError: nested too deeply.
        except (ValueError, RecursionError):
            info = None
        if not isinstance(info, dict):
            raise BadBytesError("INFO without an object")
        # A server sends another INFO when its cluster changes.
        self.info.update(info)
        limit = self.info.get("max_payload")
        if isinstance(limit, int) and limit > 0:
            self.longest_piece = limit
        settle(self._greeting)

    def _take_error(self, text: str) -> None:
        if self._is_ready and self._events is not None:
            self._events.refused(text)
        if not (self._is_ready and text.startswith("Permissions Violation")):
            # The server closes the connection after it, so it is the reason.
            self._refusal = text


async def connect(
    server: NatsServer, options: NatsOptions, credentials: Credentials, context: ssl.SSLContext, events: NatsEvents
) -> NatsConnection:
    """Connect to one server.

    Raises:
        OSError: the server cannot be reached, or not in time.
        RefusedError: the server refuses this node.
    """
    connection = NatsConnection(events, options)
    timeout = options.connection_timeout_ms / 1000
    try:
        async with asyncio.timeout(timeout):
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: connection, server.host, server.port)
            await connection.greeted()
            tls = bool(server.tls or asks_for_tls(options) or connection.info.get("tls_required"))
            if tls:
                await connection.start_tls(context, server.host)
            nonce = str(connection.info.get("nonce", ""))
            await connection.introduce(
                {
                    "verbose": False,
                    "pedantic": False,
                    "echo": False,
                    "headers": False,
                    "protocol": 1,
                    "lang": "python",
                    "version": "sockudo",
                    "name": "sockudo",
                    "tls_required": tls,
                    **credentials.fields(server, nonce),
                },
                encode_prefix(options.prefix),
            )
    except TimeoutError:
        connection.drop("no answer")
        raise TimeoutError(f"no answer in {timeout:g} s") from None
    except BaseException:
        connection.drop("not connected")
        raise
    return connection
