"""The base class of connections to brokers, for drivers that speak the protocol of the broker themselves.

* Everything that is sent in one tick of the event loop leaves in one write.
* The connection to a broker that is silent, or that does not read, is dropped.
* A dropped connection is reset: the kernel discards unsent bytes, which else would arrive whenever the broker wakes up.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from typing import Final, cast

from sockudo.errors import DriverError

# The most unsent bytes.
MOST_UNSENT: Final = 64 * 1024 * 1024
_CHECKS_PER_TIMEOUT: Final = 3
_CLOSING_TIMEOUT: Final = 5.0
# Closing sends a reset.
_NO_LINGER: Final = struct.pack("ii", 1, 0)


class BadBytesError(ValueError):
    """Bytes that no broker of this kind sends."""


class BrokerConnection(asyncio.Protocol):
    """Subclass it for a protocol: `take` parses bytes, `ping` keeps the broker talking, `ended` settles open futures.

    Attributes:
        is_open: False before the connection is made and from the moment that it is dropped.
        reason: why it is gone.
    """

    def __init__(self, *, kind: str, silence_timeout: float) -> None:
        self._kind = kind
        self._silence_timeout = silence_timeout
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._heard = True
        self._silent_checks = 0
        self.is_open = True
        self.reason = ""

    # For subclasses

    def take(self, data: bytes) -> None:
        """Parse bytes of the broker; raise BadBytesError."""
        raise NotImplementedError

    def ping(self) -> None:
        """Make the broker send something, if it does not do so by itself."""
        raise NotImplementedError

    def ended(self, reason: str) -> None:
        """Settle open futures; the connection is gone."""
        raise NotImplementedError

    # Called by the driver

    def send(self, data: bytes) -> None:
        """Send at the end of this tick."""
        # hot path
        if not self._out:
            self._loop.call_soon(self.flush)
        self._out.append(data)

    def flush(self) -> None:
        """Write what was sent in this tick."""
        out, self._out = self._out, []
        if out and self.is_open and self._transport is not None:
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))

    def watch(self) -> None:
        """Begin to drop the connection when the broker is silent."""
        self._timer = self._loop.call_later(self._silence_timeout / _CHECKS_PER_TIMEOUT, self._check)

    async def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Encrypt the connection from now on."""
        assert self._transport is not None, "TLS starts on a connection"
        upgraded = await self._loop.start_tls(self._transport, self, context, server_hostname=host)
        if upgraded is None:
            raise ConnectionResetError("closed during the TLS handshake")
        self._use(upgraded)

    def expect_open(self) -> None:
        """Raise an error if the connection is gone."""
        if not self.is_open:
            raise ConnectionResetError(self.reason)

    def drop(self, reason: str) -> None:
        """Close the connection at once, and discard unsent bytes."""
        transport = self._transport
        if transport is not None and not transport.is_closing():
            sock = transport.get_extra_info("socket")
            if sock is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            transport.abort()
        self._end(reason)

    async def finish(self, last_answer: asyncio.Future[None]) -> None:
        """Close when the broker has given its last answer, or does not answer in time."""
        transport = self._transport
        if transport is not None:
            await asyncio.wait([last_answer], timeout=_CLOSING_TIMEOUT)
            transport.close()
            # TLS exchanges a close notification, which takes a moment.
            if not (await asyncio.wait([self._gone], timeout=_CLOSING_TIMEOUT))[0]:
                transport.abort()
        self._end("closed")

    # Called by the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        if self.is_open:
            self._use(cast(asyncio.Transport, transport))
        else:
            cast(asyncio.Transport, transport).abort()

    def data_received(self, data: bytes) -> None:
        self._heard = True
        try:
            self.take(data)
        except BadBytesError as error:
            self.drop(f"the server does not speak {self._kind}: {error}")

    def pause_writing(self) -> None:
        self.drop(f"{MOST_UNSENT} bytes wait for the server")

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone.set_result(None)
        self._end(str(exc) if exc else "closed by the server")

    def _use(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        transport.set_write_buffer_limits(high=MOST_UNSENT)

    def _check(self) -> None:
        # More than one check must pass in silence: after a pause of this process its timers run before it reads.
        self._silent_checks = 0 if self._heard else self._silent_checks + 1
        self._heard = False
        if self._silent_checks >= _CHECKS_PER_TIMEOUT:
            self.drop(f"the server was silent for {self._silence_timeout:g} s")
            return
        self.ping()
        self.watch()

    def _end(self, reason: str) -> None:
        if not self.is_open:
            return
        self.is_open = False
        self.reason = reason
        if self._timer is not None:
            self._timer.cancel()
        self.ended(reason)


def settle(future: asyncio.Future[None]) -> None:
    """Finish a future, unless its caller has cancelled it."""
    if not future.done():
        future.set_result(None)


def tls_context(section: str, ca: object, cert: object, key: object) -> ssl.SSLContext:
    """Make the TLS context of a driver's connections; `section` has its `tls_` settings.

    Raises:
        DriverError: a file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=None if ca is None else str(ca))
    except (OSError, ValueError) as error:
        raise DriverError(f"{section}.tls_ca: {ca}: {error}") from error
    if cert is not None:
        try:
            # An empty password keeps OpenSSL from asking for one on the terminal.
            context.load_cert_chain(str(cert), None if key is None else str(key), password="")
        except (OSError, ValueError) as error:
            raise DriverError(f"{section}.tls_cert: {cert}, {key}: {error}") from error
    elif key is not None:
        raise DriverError(f"{section}.tls_cert: expected the certificate of {section}.tls_key")
    return context
