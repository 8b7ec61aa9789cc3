"""Takes a socket from its acceptance to HTTP: reads its PROXY header, and makes its TLS handshake.

Bytes are looked at before they are taken (MSG_PEEK), so that nothing of what follows the header is read here: the
handshake, or HTTP, begins on a socket that is as the client made it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Final, Protocol

from sockudo.server.accepting.arrived import Handing
from sockudo.server.accepting.proxy_header import MAX_BYTES, SIGNATURE, ProxyHeader, ProxyHeaderError, begins_header
from sockudo.server.http.service import Service
from sockudo.server.timeouts import CLOSE_TIMEOUT, HEAD_TIMEOUT

# The first byte of every TLS handshake, what says how long its first record is, and the longest that may be
# (RFC 8446, section 5.1).
_HANDSHAKE: Final = b"\x16"
_RECORD_HEADER: Final = 5
_LONGEST_RECORD: Final = 16 * 1024
_LONGEST_REQUEST: Final = 16 * 1024
_SPEAK_TLS: Final = b"The port speaks TLS: use https or wss\n"
_PLAIN_ANSWER: Final = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n"
    b"Connection: close\r\n\r\n%b" % (len(_SPEAK_TLS), _SPEAK_TLS)
)


class ArrivalService(Service, Protocol):
    """Serves a socket that has arrived."""

    def arrived(self, arrival: Handing) -> asyncio.Protocol:
        """Return the protocol of a socket that is ready for HTTP."""
        ...


class Acceptor(Protocol):
    """What a socket that arrives needs of who accepted it."""

    @property
    def service(self) -> ArrivalService:
        """What answers the requests of a socket."""
        ...

    def is_proxy(self, peer: str | None) -> bool:
        """Tell whether a peer must begin with a PROXY header."""
        ...

    def context(self) -> ssl.SSLContext | None:
        """Return what TLS handshakes need; None where the port speaks none."""
        ...

    def ready(self, arrival: Arrival) -> None:
        """Let a client that waits for its handshake have it, in its turn."""

    def left(self, arrival: Arrival) -> None:
        """Forget a socket that is gone, or that speaks HTTP now."""

    def refused(self, reason: str, peer: str | None) -> None:
        """Log that a peer broke the rule about PROXY headers."""

    def failed(self, reason: str, peer: str | None) -> None:
        """Log that a handshake failed."""


class Arrival:
    """One socket until it speaks HTTP, or is closed.

    Attributes:
        client: the address that a proxy gave; None where the peer's own counts.
    """

    __slots__ = ("_header", "_host", "_look", "_peer", "_seen", "_socket", "_task", "client", "deadline")

    def __init__(self, host: Acceptor, accepted: socket.socket, peer: str | None, *, checks_header: bool) -> None:
        self._host = host
        self._socket = accepted
        self._peer = peer
        self._header = ProxyHeader()
        self._task: asyncio.Task[None] | None = None
        self._look: Callable[[], bool] = self._after_header
        if checks_header:
            self._look = self._read_header if host.is_proxy(peer) else self._refuse_header
        # Bytes that were there and did not suffice.
        self._seen = 0
        self.client: str | None = None
        self.deadline = 0

    def begin(self) -> None:
        """Wait for the first bytes."""
        self._host.service.opened(self)
        self._host.service.timeouts.schedule(self, HEAD_TIMEOUT)
        asyncio.get_running_loop().add_reader(self._socket, self._readable)

    def drain(self) -> None:
        """Drop the socket, which has asked for nothing."""
        self.abort()

    def expire(self, now: int) -> None:
        """Drop a socket that takes too long."""
        if self._task is None and self._look == self._read_header:
            self._host.refused(f"the header took more than {HEAD_TIMEOUT} s", self._peer)
        self.abort()

    def abort(self) -> None:
        """Drop the socket at once."""
        if self._task is not None:
            self._task.cancel()
        else:
            self._leave()
            self._socket.close()

    def connect(self) -> bool:
        """Begin to speak HTTP, after a handshake where the port speaks TLS; return False if the socket is gone."""
        if self._socket.fileno() < 0:
            return False
        self._task = asyncio.get_running_loop().create_task(self._connect())
        self._task.add_done_callback(self._connected)
        return True

    def handed_over(self) -> None:
        """Leave the socket to HTTP."""
        self._leave()

    def _readable(self) -> None:
        try:
            while self._look():
                pass
        except (BlockingIOError, InterruptedError):
            return
        except ProxyHeaderError as error:
            self._host.refused(f"the header {error}", self._peer)
            self.abort()
        except OSError:
            self.abort()

    # What is looked for; each tells whether to go on with what comes next.

    def _read_header(self) -> bool:
        data = self._peek(MAX_BYTES)
        if not data:
            self.abort()
            return False
        taken = self._header.take(data)
        self._socket.recv(taken)
        if not self._header.is_complete:
            return False
        self.client = self._header.client
        return self._after_header()

    def _refuse_header(self) -> bool:
        data = self._peek(len(SIGNATURE))
        if not data:
            self.abort()
            return False
        begins = begins_header(data)
        if begins is None:
            return self._await_more(len(data), len(data) + 1)
        if begins:
            raise ProxyHeaderError("came from a peer that is not in proxy_protocol.networks")
        self._await_any()
        return self._after_header()

    def _after_header(self) -> bool:
        if self._host.context() is not None:
            self._look = self._await_hello
            return True
        self._stop_reading()
        self.connect()
        return False

    def _await_hello(self) -> bool:
        head = self._peek(_RECORD_HEADER)
        first = head[:1]
        if first == _HANDSHAKE:
            return self._await_record(head)
        if first:
            self._host.failed("the client does not speak TLS", self.client or self._peer)
        if first.isalpha():
            self._answer_plainly()
        self.abort()
        return False

    def _await_record(self, head: bytes) -> bool:
        """Wait for the whole hello. A handshake costs most when it is there, so a client may not hold back its end."""
        if len(head) < _RECORD_HEADER:
            return self._await_more(len(head), _RECORD_HEADER)
        wanted = _RECORD_HEADER + int.from_bytes(head[3:], "big")
        if wanted > _RECORD_HEADER + _LONGEST_RECORD:
            self._host.failed("the client does not speak TLS", self.client or self._peer)
            self.abort()
            return False
        there = len(self._peek(wanted))
        if there < wanted:
            return self._await_more(there, wanted)
        self._await_any()
        self._stop_reading()
        self._host.ready(self)
        return False

    def _await_more(self, there: int, wanted: int) -> bool:
        """Be called again when so many bytes are there, and not for fewer."""
        if there == self._seen:
            # Called without another byte: the peer has ended its side.
            self.abort()
            return False
        self._seen = there
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, wanted)
        return False

    def _await_any(self) -> None:
        self._seen = 0
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)

    def _answer_plainly(self) -> None:
        """Tell a client that speaks plain HTTP what is wrong."""
        # What is unread when a socket is closed takes the answer with it.
        self._socket.recv(_LONGEST_REQUEST)
        self._socket.send(_PLAIN_ANSWER)
        self._socket.shutdown(socket.SHUT_WR)

    def _peek(self, size: int) -> bytes:
        return self._socket.recv(size, socket.MSG_PEEK)

    async def _connect(self) -> None:
        loop, context = asyncio.get_running_loop(), self._host.context()
        try:
            if context is None:
                await loop.connect_accepted_socket(self._protocol, self._socket)
            else:
                await loop.connect_accepted_socket(
                    self._protocol,
                    self._socket,
                    ssl=context,
                    ssl_handshake_timeout=float(HEAD_TIMEOUT),
                    ssl_shutdown_timeout=float(CLOSE_TIMEOUT),
                )
        except OSError as error:
            self._host.failed(_reason(error), self.client or self._peer)
            self._socket.close()

    def _connected(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            self._socket.close()
        self._leave()

    def _protocol(self) -> asyncio.Protocol:
        return self._host.service.arrived(self)

    def _stop_reading(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)

    def _leave(self) -> None:
        if self._task is None and self._socket.fileno() >= 0:
            self._stop_reading()
        self._host.service.timeouts.discard(self)
        self._host.service.closed(self)
        self._host.left(self)


def _reason(error: OSError) -> str:
    return str(getattr(error, "reason", None) or error or type(error).__name__)
