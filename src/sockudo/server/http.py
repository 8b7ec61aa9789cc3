"""HTTP/1.1 on one socket, over httptools: keep-alive, pipelining, limits (RFC 9112).

Rules: a request is handed on when it is whole. Limits are applied before anything is kept: the head while it arrives,
the body by its declared length. After a request that is not understood the socket is closed, since where the next one
begins is not known. What a peer gets does not depend on how the transport cut its bytes into segments.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, cast

import httptools

from sockudo.api.messages import Request, Response
from sockudo.server import refusals
from sockudo.server.answers import CONTINUE
from sockudo.server.heads import without_upgrade
from sockudo.server.service import Service
from sockudo.server.timeouts import BODY_TIMEOUT, HEAD_TIMEOUT, IDLE_TIMEOUT

MAX_HEAD_BYTES: Final = 16 * 1024

# What a request line has besides its URL: a method, two blanks, the version, the line end.
_REQUEST_LINE_BYTES: Final = 16

# How far a request has come: nothing of it, its first bytes, a part of its head, a part of its body.
_NONE, _BEGUN, _HEAD, _BODY = range(4)

# Answers that are gathered at most, so that a peer that does not read is noticed between two of them.
_MAX_OUT: Final = 16


class HttpProtocol(asyncio.Protocol):
    """One socket until it is closed or upgraded."""

    __slots__ = (
        "_body",
        "_body_bytes",
        "_expires",
        "_fields",
        "_head_bytes",
        "_head_done",
        "_headers",
        "_is_ended",
        "_is_paused",
        "_line_bytes",
        "_out",
        "_parser",
        "_peer",
        "_replay",
        "_service",
        "_stage",
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
        # Requests, and at most one refusal behind them, each with whether the socket stays open after its answer.
        self._waiting: deque[tuple[Request | Response, bool]] | None = None
        # Answers to the requests of one read, which leave in one write.
        self._out: list[bytes] = []
        self._is_paused = False
        self._is_ended = False
        self._peer: str | None = None
        self.deadline = 0
        self._expires = 0
        self._line_bytes = 0
        self._replay = b""
        self._headers: list[tuple[bytes, bytes]] = []
        # The headers of the request whose head is complete.
        self._fields = self._headers
        self._reset()

    def _reset(self) -> None:
        self._stage = _NONE
        self._url = b""
        if self._headers:
            self._headers = []
        self._body: bytes | bytearray = b""
        self._body_bytes = 0
        self._head_bytes = _REQUEST_LINE_BYTES
        self._head_done = False

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
        if self._parser is None or self._is_ended:
            return
        problem = self._feed(self._parser, data)
        if problem is not None:
            self._interrupted(data, problem)
        if self._out:
            self._send()

    def _feed(
        self, parser: httptools.HttpRequestParser, data: bytes | memoryview, replay: bytes = b""
    ) -> httptools.HttpParserUpgrade | httptools.HttpParserError | None:
        """Parse `data`, after `replay`; return what has stopped the parser, or None.

        What is returned is handled outside of any except block: it would become the context of every later error, and
        keep `data` by its traceback.
        """
        try:
            if replay:
                parser.feed_data(replay)
            parser.feed_data(data)
        except httptools.HttpParserCallbackError:
            if not self._is_refused():
                raise
        except (httptools.HttpParserUpgrade, httptools.HttpParserError) as stopped:
            return stopped.with_traceback(None)
        else:
            if self._stage and not self._is_ended:
                self._unfinished(bytes(data))
        return None

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
        if self._stage == _NONE and not self._waiting:
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
        elif self._stage == _NONE or self._waiting:
            self._end()
        else:
            part, seconds = ("body", BODY_TIMEOUT) if self._head_done else ("head", HEAD_TIMEOUT)
            self._refuse(refusals.too_slow(part, seconds))

    # The parser's callbacks

    def on_message_begin(self) -> None:
        self._stage = _BEGUN

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._head_bytes += len(url)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._stop(refusals.head_too_large(MAX_HEAD_BYTES))

    def on_header(self, name: bytes, value: bytes) -> None:
        # hot path
        self._headers.append((name, value))
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > MAX_HEAD_BYTES:
            self._stop(refusals.head_too_large(MAX_HEAD_BYTES))

    def on_headers_complete(self) -> None:
        self._head_done = True
        hosts = 0
        expects = False
        self._fields = self._headers
        for name, value in self._fields:
            size = len(name)
            if size == 4 and name.lower() == b"host":
                hosts += 1
            elif size == 14 and name.lower() == b"content-length":
                if len(value) > 18 or int(value) > self._service.max_body_bytes:
                    self._stop(refusals.body_too_large(self._service.max_body_bytes))
            elif size == 6 and name.lower() == b"expect" and value.lower() == b"100-continue":
                expects = True
        if hosts != 1 and (hosts or self._version() != "1.0"):
            # RFC 9112, section 3.2
            self._stop(refusals.malformed("there must be exactly one Host header"))
        if expects:
            self._out.append(CONTINUE)
        # What comes as a header from here on is a trailer, which is counted and no part of the request: a proxy in
        # front that vouches for a header has not looked at it (RFC 9110, section 6.5.1).
        self._headers = []

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > self._service.max_body_bytes:
            self._stop(refusals.body_too_large(self._service.max_body_bytes))
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
        if self._is_ended:
            # Behind the last answer of this socket: not carried out, since nobody would be told.
            return
        is_upgrade = parser.should_upgrade()
        if is_upgrade and self._without_upgrade(parser):
            return
        url, _, query = self._url.partition(b"?")
        request = Request(
            parser.get_method().decode("ascii"),
            url.decode("utf-8", "surrogateescape"),
            query.decode("utf-8", "surrogateescape"),
            self._fields,
            bytes(self._body),
            self._peer,
        )
        keep_alive = parser.should_keep_alive()
        if is_upgrade:
            # What was asked before is answered before.
            self._send()
        is_waiting = self._is_paused or self._waiting
        if is_upgrade and not is_waiting:
            upgraded = self._service.upgrade(request, self._version(), self._transport)
            if not isinstance(upgraded, Response):
                self._successor = upgraded
                return
            # What follows a refused one may be of the protocol that was asked for.
            self._write(upgraded, request.method, keep_alive and upgraded.status < 400)
        elif is_waiting:
            if self._waiting is None:
                self._waiting = deque()
            # An upgrade cannot wait: it is answered as if it were none, and ends the socket.
            self._waiting.append((request, keep_alive and not is_upgrade))
        else:
            self._answer(request, keep_alive)
        self._reset()
        self._expires = self._service.timeouts.now + IDLE_TIMEOUT

    # Parts

    def _answer(self, request: Request | Response, keep_alive: bool) -> None:
        if isinstance(request, Response):
            self._refuse(request)
            return
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

    def _without_upgrade(self, parser: httptools.HttpRequestParser) -> bool:
        """Tell whether a request that asks for an upgrade has a body; if so, it will be read as if it did not ask.

        The parser takes a body behind such a head for bytes of the other protocol. They would become the next request.
        """
        head = without_upgrade(parser.get_method(), self._url, self._version(), self._fields)
        if head is None:
            return False
        self._replay = head
        self._reset()
        return True

    def _interrupted(self, data: bytes, problem: Exception) -> None:
        """Go on after the parser has stopped within `data`, at an upgrade or an error."""
        position = 0
        while isinstance(problem, httptools.HttpParserUpgrade):
            position += problem.args[0]
            successor = self._successor
            if successor is not None:
                self._forget()
                if position < len(data):
                    successor.data_received(data[position:])
                return
            if self._is_ended:
                return
            # An upgrade that is not taken (h2c, say): what follows is HTTP, for a new parser.
            self._parser = httptools.HttpRequestParser(self)
            replay, self._replay = self._replay, b""
            another = self._feed(self._parser, memoryview(data)[position:], replay)
            if another is None:
                return
            problem = another
        if not self._is_refused():
            self._refuse(refusals.malformed(str(problem)))

    def _is_refused(self) -> bool:
        """Tell whether a callback has stopped the parser on purpose; anything else is a mistake of our own."""
        return self._is_ended or self._parser is None

    def _unfinished(self, data: bytes) -> None:
        """Bound the size and the time of a request of which a part is still missing after `data`."""
        if self._head_done:
            if self._stage != _BODY:
                self._stage = _BODY
                self._expire_in(BODY_TIMEOUT)
            return
        # The parser keeps an incomplete line to itself, so its bytes are counted as they come.
        newline = data.rfind(b"\n")
        if self._headers and newline >= 0:
            self._line_bytes = len(data) - newline - 1
        elif self._stage == _BEGUN:
            # It is not known where in `data` the request begins.
            self._line_bytes = 0
        else:
            self._line_bytes += len(data)
        if self._stage == _BEGUN:
            self._stage = _HEAD
            self._expire_in(HEAD_TIMEOUT)
        if self._line_bytes > MAX_HEAD_BYTES:
            self._refuse(refusals.head_too_large(MAX_HEAD_BYTES))

    def _stop(self, response: Response) -> None:
        """Refuse the request from within a callback of the parser, which then parses no further."""
        self._refuse(response)
        raise _RequestRefusedError

    def _refuse(self, response: Response) -> None:
        """Answer a request that is not read to its end, after those before it, and close."""
        if self._is_ended:
            return
        if self._waiting:
            self._waiting.append((response, False))
            self._parser = None
            return
        self._out.append(self._service.answers.encode(response, keep_alive=False))
        self._send()
        self._is_ended = True
        self._service.timeouts.schedule(self, HEAD_TIMEOUT)
        if self._transport.is_closing() or not self._transport.can_write_eof():
            self._transport.close()
        else:
            # The peer may still be sending, and closing on unread bytes would reset the socket before the answer has
            # been read (RFC 9112, section 9.6). What still comes is thrown away until the peer is done or time is up.
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
