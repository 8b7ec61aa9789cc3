"""HTTP/1.1 on one socket, over httptools: keep-alive, pipelining, limits (RFC 9112).

Rules: a request is handed on when it is whole. Limits are applied before anything is kept: the head while it arrives,
the body by its declared length. After a request that is not understood the socket is closed, since where the next one
begins is not known.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Protocol, cast

import httptools

from sockudo.api.messages import Request, Response, error_response
from sockudo.server.answers import CONTINUE, Answers
from sockudo.server.timeouts import BODY_TIMEOUT, HEAD_TIMEOUT, IDLE_TIMEOUT, Timeouts

MAX_HEAD_BYTES: Final = 16 * 1024

# What a request that has begun to arrive lacks; nothing is known of that before its first packet has been parsed.
_NOTHING: Final = 0
_HEAD: Final = 1
_BODY: Final = 2

# Answers that are gathered at most, so that a peer that does not read is noticed between two of them.
_MAX_OUT: Final = 16


class Service(Protocol):
    """What answers the requests of a socket."""

    answers: Answers
    timeouts: Timeouts
    max_body_bytes: int
    is_draining: bool
    # Whether anybody asks for `Request.peer`, which costs a system call a socket.
    needs_peer: bool

    def handle(self, request: Request) -> Response:
        """Answer a request."""
        ...

    def upgrade(self, request: Request, http_version: str, transport: asyncio.Transport) -> asyncio.Protocol | Response:
        """Take over the socket and return its new protocol, or answer the request as any other."""
        ...

    def opened(self, connection: HttpProtocol) -> None:
        """Note a new socket."""

    def closed(self, connection: HttpProtocol) -> None:
        """Forget a socket, which is gone or speaks another protocol now."""


class HttpProtocol(asyncio.Protocol):
    """One socket until it is closed or upgraded."""

    __slots__ = (
        "_awaits",
        "_body",
        "_body_bytes",
        "_counted",
        "_expires",
        "_head_bytes",
        "_head_done",
        "_headers",
        "_is_ended",
        "_is_paused",
        "_line_bytes",
        "_out",
        "_parser",
        "_peer",
        "_service",
        "_successor",
        "_transport",
        "_url",
        "_waiting",
        "deadline",
    )

    def __init__(self, service: Service) -> None:
        self._service = service
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self._successor: asyncio.Protocol | None = None
        self._waiting: deque[tuple[Request, bool]] | None = None
        # Answers to the requests of one read, which leave in one write.
        self._out: list[bytes] = []
        self._is_paused = False
        self._is_ended = False
        self._peer: str | None = None
        self.deadline = 0
        self._expires = 0
        self._counted = 0
        self._line_bytes = 0
        self._reset()

    def _reset(self) -> None:
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: bytes | bytearray = b""
        self._body_bytes = 0
        self._head_bytes = 0
        self._head_done = False
        self._awaits = _NOTHING

    # The socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not instances of asyncio's class.
        self._transport = cast(asyncio.Transport, transport)
        if self._service.needs_peer:
            peer = transport.get_extra_info("peername")
            self._peer = peer[0] if isinstance(peer, tuple) else None
        self._service.opened(self)
        self._expire_in(HEAD_TIMEOUT)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()

    def data_received(self, data: bytes) -> None:
        # hot path
        self._parse(data)
        if self._out:
            self._send()

    def _parse(self, data: bytes) -> None:
        parser = self._parser
        if parser is None or self._is_ended:
            return
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._after_upgrade(data[upgrade.args[0] :])
            return
        except httptools.HttpParserCallbackError:
            # A callback has refused the request and said so; anything else is our own mistake.
            if not self._is_ended:
                raise
            return
        except httptools.HttpParserError as problem:
            self._refuse(error_response(400, f"Invalid HTTP request: {problem}"))
            return
        if self._url and not self._is_ended:
            self._unfinished(len(data))
        else:
            self._expires = self._service.timeouts.now + IDLE_TIMEOUT

    def pause_writing(self) -> None:
        # A peer that asks faster than it reads answers: nothing more is read, and what has been is not answered yet.
        self._is_paused = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._is_paused = False
        waiting = self._waiting
        while waiting and not self._is_paused and not self._is_ended:
            self._answer(*waiting.popleft())
            self._send()
        if not self._is_paused and not self._transport.is_closing():
            self._transport.resume_reading()

    def drain(self) -> None:
        """Close when the request under way is answered; at once when there is none."""
        if not self._url and not self._waiting:
            self._end()

    def abort(self) -> None:
        """Drop the socket at once."""
        self._transport.abort()

    def expire(self, now: int) -> None:
        """Close an idle or too slow socket."""
        if self._is_ended:
            self._transport.abort()
        elif now < self._expires:
            self._service.timeouts.schedule(self, self._expires - now)
        elif not self._url:
            self._end()
        else:
            part, seconds = ("body", BODY_TIMEOUT) if self._head_done else ("head", HEAD_TIMEOUT)
            self._refuse(error_response(408, f"The {part} of a request must be complete in {seconds} s"))

    # The parser's callbacks

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))
        self._count_head(len(name) + len(value) + 4)

    def on_headers_complete(self) -> None:
        self._head_done = True
        hosts = 0
        asks_first = False
        for name, value in self._headers:
            size = len(name)
            if size == 4 and name.lower() == b"host":
                hosts += 1
            elif size == 14 and name.lower() == b"content-length":
                if len(value) > 18 or int(value) > self._service.max_body_bytes:
                    self._refuse_body()
            elif size == 6 and name.lower() == b"expect" and value.lower() == b"100-continue":
                asks_first = True
        if hosts != 1 and self._version() == "1.1":
            # RFC 9112, section 3.2
            self._stop(error_response(400, "Invalid HTTP request: there must be exactly one Host header"))
        if asks_first:
            self._out.append(CONTINUE)

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > self._service.max_body_bytes:
            self._refuse_body()
        if not self._body:
            self._body = body
        else:
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += body

    def on_message_complete(self) -> None:
        # hot path
        parser = self._parser
        assert parser is not None
        url, _, query = self._url.partition(b"?")
        request = Request(
            parser.get_method().decode("ascii"),
            url.decode("utf-8", "surrogateescape"),
            query.decode("utf-8", "surrogateescape"),
            self._headers,
            bytes(self._body),
            self._peer,
        )
        keep_alive = parser.should_keep_alive()
        is_waiting = self._is_paused or self._waiting
        if parser.should_upgrade() and not is_waiting:
            # What was asked before is answered before.
            self._send()
            upgraded = self._service.upgrade(request, self._version(), self._transport)
            if not isinstance(upgraded, Response):
                self._successor = upgraded
                return
            self._write(upgraded, request.method, keep_alive)
        elif is_waiting:
            if self._waiting is None:
                self._waiting = deque()
            self._waiting.append((request, keep_alive))
        else:
            self._answer(request, keep_alive)
        self._reset()

    # Parts

    def _answer(self, request: Request, keep_alive: bool) -> None:
        self._write(self._service.handle(request), request.method, keep_alive)

    def _write(self, response: Response, method: str, keep_alive: bool) -> None:
        if self._is_ended:
            return
        keep_alive = keep_alive and not self._service.is_draining
        self._out.append(self._service.answers.encode(response, keep_alive=keep_alive, head_only=method == "HEAD"))
        if not keep_alive:
            self._end()
        elif len(self._out) >= _MAX_OUT:
            self._send()

    def _send(self) -> None:
        out = self._out
        if out:
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))
            out.clear()

    def _after_upgrade(self, rest: bytes) -> None:
        successor = self._successor
        if successor is not None:
            self._forget()
            if rest:
                successor.data_received(rest)
        elif not self._is_ended:
            # An upgrade that was not taken (h2c, say): what follows is HTTP again, for a new parser.
            self._parser = httptools.HttpRequestParser(self)
            self._reset()
            self._expires = self._service.timeouts.now + IDLE_TIMEOUT
            if rest:
                self.data_received(rest)

    def _unfinished(self, size: int) -> None:
        """Bound the size and the time of a request of which a part is still missing."""
        if self._head_done:
            if self._awaits != _BODY:
                self._awaits = _BODY
                self._expire_in(BODY_TIMEOUT)
        elif self._awaits == _NOTHING:
            # Some of these bytes may belong to the request before, so none of them are counted.
            self._awaits = _HEAD
            self._counted, self._line_bytes = self._head_bytes, 0
            self._expire_in(HEAD_TIMEOUT)
        else:
            # The parser keeps an incomplete header line to itself, so its bytes are counted as they come.
            if self._counted == self._head_bytes:
                self._line_bytes += size
            else:
                self._counted, self._line_bytes = self._head_bytes, 0
            if self._head_bytes + self._line_bytes > MAX_HEAD_BYTES:
                self._refuse(_head_too_large())

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            self._stop(_head_too_large())

    def _refuse_body(self) -> None:
        limit = self._service.max_body_bytes
        self._stop(
            error_response(
                413, f"Payload too large. The limit is {limit} bytes for a request body (http_api.request_limit_in_mb)"
            )
        )

    def _stop(self, response: Response) -> None:
        """Refuse the request from within a callback of the parser, which then parses no further."""
        self._refuse(response)
        raise _RequestRefusedError

    def _refuse(self, response: Response) -> None:
        """Answer a request that is not read to its end, and close."""
        if self._is_ended:
            return
        self._out.append(self._service.answers.encode(response, keep_alive=False))
        if not self._transport.can_write_eof():
            self._end()
            return
        self._send()
        # A socket that is closed while its peer still sends is reset, and the answer is lost; so what comes is read
        # and thrown away, until the peer has closed or its time is over (RFC 9112, section 9.6).
        self._is_ended = True
        self._reset()
        self._service.timeouts.schedule(self, HEAD_TIMEOUT)
        self._transport.write_eof()

    def _end(self) -> None:
        """Close after what was written has gone; a peer that does not take it is dropped."""
        if self._is_ended:
            return
        self._is_ended = True
        self._send()
        self._service.timeouts.schedule(self, HEAD_TIMEOUT)
        self._transport.close()

    def _forget(self) -> None:
        self._service.timeouts.discard(self)
        self._service.closed(self)
        # The parser holds the protocol too.
        self._parser = None

    def _expire_in(self, seconds: int) -> None:
        self._expires = self._service.timeouts.now + seconds
        self._service.timeouts.schedule(self, seconds)

    def _version(self) -> str:
        assert self._parser is not None
        return self._parser.get_http_version()


class _RequestRefusedError(Exception):
    """Stops the parser; the answer has been written."""


def _head_too_large() -> Response:
    return error_response(431, f"The head of a request is limited to {MAX_HEAD_BYTES} bytes")
