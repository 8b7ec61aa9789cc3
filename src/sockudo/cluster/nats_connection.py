"""One connection to a NATS server: handshake, batched writes, keepalive.

Everything that is sent in one tick of the event loop leaves in one write. Confirmations are asked for with one PING
after it: a server answers in order, so its PONG says that everything before it is done.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
from collections import deque
from typing import Any, Final, Protocol, cast

from sockudo.cluster.nats_options import Identity, NatsOptions, NatsServer
from sockudo.cluster.nats_wire import NatsProtocolError, Parser, encode_prefix

_CHECKS_PER_TIMEOUT: Final = 3
_CLOSING_TIMEOUT: Final = 5.0
# Closing sends a reset and what waits in the kernel is thrown away, instead of arriving whenever the server wakes up.
_NO_LINGER: Final = struct.pack("ii", 1, 0)
# Subject and subscription with which a new connection asks whether it may use the prefix at all.
_PROBE: Final = b"PROBE"


class NatsRefusedError(Exception):
    """The server said no: its own words."""


class Owner(Protocol):
    """Who uses a connection."""

    def message(self, subscription: bytes, reply: bytes, payload: bytes) -> None:
        """Take one message."""

    def refused(self, reason: str) -> None:
        """Note that the server refused something and goes on."""

    def disconnected(self, connection: NatsConnection, reason: str) -> None:
        """Note that the connection is gone."""


class NatsConnection(asyncio.Protocol):
    """A connection; `connect` makes one that is ready."""

    def __init__(self, owner: Owner, options: NatsOptions) -> None:
        self._owner = owner
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._parser = Parser(owner.message, self.command)
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._unconfirmed: list[asyncio.Future[None]] | None = None
        self._pongs: deque[list[asyncio.Future[None]]] = deque()
        self._greeting: asyncio.Future[None] = self._loop.create_future()
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._heard = True
        self._silent_checks = 0
        self._is_ready = False
        self._refusal: str | None = None
        self.info: dict[str, Any] = {}
        self.max_payload = 1024 * 1024
        self.is_open = True
        self.reason = ""

    # What the adapter asks

    def send(self, data: bytes) -> None:
        """Send at the end of this tick."""
        # hot path
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(data)

    def confirm(self) -> asyncio.Future[None]:
        """Return a future that is done when the server has taken everything so far, or is gone; it never fails."""
        confirmed: asyncio.Future[None] = self._loop.create_future()
        if not self.is_open:
            confirmed.set_result(None)
            return confirmed
        if self._unconfirmed is None:
            self._unconfirmed = []
            # An empty write wakes the flush, which adds the PING.
            self.send(b"")
        self._unconfirmed.append(confirmed)
        return confirmed

    async def aclose(self) -> None:
        """Close when the server has taken everything that was sent; the owner is not told."""
        self._owner = _Nobody()
        transport = self._transport
        if transport is None:
            return
        await asyncio.wait([self.confirm()], timeout=_CLOSING_TIMEOUT)
        transport.close()
        # TLS says goodbye, which takes a moment.
        if not (await asyncio.wait([self._gone], timeout=_CLOSING_TIMEOUT))[0]:
            transport.abort()
        self._end("closed")

    def drop(self, reason: str) -> None:
        """Give the connection up at once, with all that is unsent."""
        transport = self._transport
        if transport is not None and not transport.is_closing():
            reset(transport)
            transport.abort()
        self._end(reason)

    # The handshake

    async def greeted(self) -> None:
        """Wait for INFO."""
        await self._greeting
        self._expect_open()

    async def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Go on encrypted."""
        transport = self._transport
        assert transport is not None, "TLS starts on a connection"
        upgraded = await self._loop.start_tls(transport, self, context, server_hostname=host)
        if upgraded is None:
            raise ConnectionResetError("closed during the TLS handshake")
        self._use(upgraded)

    async def introduce(self, fields: dict[str, Any], prefix: bytes) -> None:
        """Say who we are and ask whether we may use the prefix; returns when the server agrees."""
        probe = b"%b.%b" % (prefix, _PROBE)
        self.send(b"CONNECT %b\r\n" % json.dumps(fields).encode())
        self.send(b"SUB %b %b\r\nPUB %b 0\r\n\r\nUNSUB %b\r\n" % (probe, _PROBE, probe, _PROBE))
        await self.confirm()
        if self._refusal is not None:
            raise NatsRefusedError(self._refusal)
        self._expect_open()
        self._is_ready = True
        self._timer = self._loop.call_later(self._options.ping_timeout / _CHECKS_PER_TIMEOUT, self._check)

    def _expect_open(self) -> None:
        if not self.is_open:
            raise ConnectionResetError(self.reason)

    # What the transport says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        if self.is_open:
            self._use(cast(asyncio.Transport, transport))
        else:
            cast(asyncio.Transport, transport).abort()

    def _use(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        transport.set_write_buffer_limits(high=self._options.most_unsent)

    def data_received(self, data: bytes) -> None:
        self._heard = True
        try:
            self._parser.feed(data)
        except NatsProtocolError as error:
            self.drop(f"the server does not speak NATS: {error}")

    def pause_writing(self) -> None:
        self.drop(f"{self._options.most_unsent} bytes wait for the server")

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone.set_result(None)
        self._end(self._refusal or (str(exc) if exc else "closed by the server"))

    # What the parser says

    def command(self, verb: bytes, argument: bytes) -> None:
        """Take a line that is not a message."""
        if verb == b"PING":
            self.send(b"PONG\r\n")
        elif verb == b"PONG":
            if self._pongs:
                _settle(self._pongs.popleft())
        elif verb == b"INFO":
            self._take_info(argument)
        elif verb == b"-ERR":
            self._take_error(argument.decode("utf-8", "replace").strip(" '"))
        elif verb != b"+OK":
            raise NatsProtocolError("an unknown command")

    def _take_info(self, argument: bytes) -> None:
        try:
            info = json.loads(argument)
        except ValueError:
            raise NatsProtocolError("INFO without an object") from None
        if not isinstance(info, dict):
            raise NatsProtocolError("INFO without an object")
        # A server sends more of these when its cluster changes.
        self.info.update(info)
        limit = self.info.get("max_payload")
        if isinstance(limit, int) and limit > 0:
            self.max_payload = limit
        if not self._greeting.done():
            self._greeting.set_result(None)

    def _take_error(self, text: str) -> None:
        if self._is_ready:
            self._owner.refused(text)
        if not (self._is_ready and text.startswith("Permissions Violation")):
            # The server hangs up after it, so it is the reason.
            self._refusal = text

    # Writing and keepalive

    def _flush(self) -> None:
        out, self._out = self._out, []
        if not self.is_open or self._transport is None:
            return
        if self._unconfirmed is not None:
            self._pongs.append(self._unconfirmed)
            self._unconfirmed = None
            out.append(b"PING\r\n")
        if out:
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))

    def _check(self) -> None:
        # More than one check must pass in silence: after a pause of this process its timers run before it reads.
        self._silent_checks = 0 if self._heard else self._silent_checks + 1
        self._heard = False
        if self._silent_checks >= _CHECKS_PER_TIMEOUT:
            self.drop(f"the server was silent for {self._options.ping_timeout:g} s")
            return
        self.confirm()
        self._timer = self._loop.call_later(self._options.ping_timeout / _CHECKS_PER_TIMEOUT, self._check)

    def _end(self, reason: str) -> None:
        if not self.is_open:
            return
        self.is_open = False
        self.reason = reason
        if self._timer is not None:
            self._timer.cancel()
        for waiting in (*self._pongs, self._unconfirmed or []):
            _settle(waiting)
        self._pongs.clear()
        self._unconfirmed = None
        if not self._greeting.done():
            self._greeting.set_result(None)
        self._owner.disconnected(self, reason)


class _Nobody:
    """The owner of a connection that was closed on purpose."""

    def message(self, subscription: bytes, reply: bytes, payload: bytes) -> None:
        """Do nothing."""

    def refused(self, reason: str) -> None:
        """Do nothing."""

    def disconnected(self, connection: NatsConnection, reason: str) -> None:
        """Do nothing."""


async def connect(
    server: NatsServer, options: NatsOptions, identity: Identity, context: ssl.SSLContext | None, owner: Owner
) -> NatsConnection:
    """Connect to one server.

    Raises:
        OSError: it cannot be reached, or not in time.
        NatsRefusedError: it does not want us.
    """
    connection = NatsConnection(owner, options)
    try:
        async with asyncio.timeout(options.connect_timeout):
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: connection, server.host, server.port)
            await connection.greeted()
            tls = context is not None and (server.tls or options.asks_for_tls or connection.info.get("tls_required"))
            if tls and context is not None:
                await connection.start_tls(context, server.host)
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
                    "tls_required": bool(tls),
                    **identity.fields(server, str(connection.info.get("nonce", ""))),
                },
                encode_prefix(options.prefix),
            )
    except TimeoutError:
        connection.drop("no answer")
        raise TimeoutError(f"no answer in {options.connect_timeout:g} s") from None
    except BaseException:
        connection.drop("not connected")
        raise
    return connection


def reset(transport: asyncio.Transport) -> None:
    """See to it that closing the connection throws away what the kernel has not sent."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)


def _settle(waiting: list[asyncio.Future[None]]) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(None)
