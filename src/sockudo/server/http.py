"""HTTP/1.1 on one socket: keep-alive, pipelining, time limits (RFC 9112).

Rules: a request is handed on when it is whole. Answers leave in the order of the requests. After a request that is not
understood the socket is closed, since where the next one begins is not known. What a peer gets does not depend on how
the transport cut its bytes into segments. Where there is a bus, an answer leaves behind what its request has put on it:
who has been told of success may count on the event to be ahead of all that he does next, on whatever node.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import Final, cast

import httptools

from sockudo.api.messages import Request, Response
from sockudo.eventual import Future
from sockudo.server import refusals
from sockudo.server.answers import CONTINUE
from sockudo.server.http_reader import NONE, HttpReader
from sockudo.server.service import Service
from sockudo.server.timeouts import BODY_TIMEOUT, HEAD_TIMEOUT, IDLE_TIMEOUT

# Answers that are gathered at most, so that a peer that does not read is noticed between two of them.
_MAX_OUT: Final = 16


class HttpProtocol(HttpReader):
    """One socket until it is closed or upgraded."""

    __slots__ = (
        "_expires",
        "_is_answering",
        "_is_ended",
        "_is_paused",
        "_out",
        "_peer",
        "_service",
        "_successor",
        "_transport",
        "_waiting",
        "deadline",
    )

    def __init__(self, service: Service) -> None:
        super().__init__(service.max_body_bytes)
        self._service = service
        self._successor: asyncio.Protocol | None = None
        # Requests, and at most one refusal behind them, each with whether the socket stays open after its answer.
        self._waiting: deque[tuple[Request | Response, bool]] | None = None
        # Answers to the requests of one read, which leave in one write.
        self._out: list[bytes] = []
        self._is_paused = False
        # A store is asked for the answer to the last request.
        self._is_answering = False
        self._is_ended = False
        self._peer: str | None = None
        self.deadline = 0
        self._expires = 0

    # The socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not instances of asyncio's class.
        self._transport = cast(asyncio.Transport, transport)
        no_room = self._service.turn_away()
        if no_room is not None:
            self._parser, self._is_ended = None, True
            self._transport.write(self._service.answers.encode(no_room, keep_alive=False))
            self._transport.close()
            return
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
            self._send_behind_bus()

    def pause_writing(self) -> None:
        # A peer that asks faster than it reads answers: nothing more is read, and what has been is not answered yet.
        self._is_paused = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._is_paused = False
        self._go_on()

    def drain(self) -> None:
        """Close when the request under way is answered; at once when there is none."""
        if self._stage == NONE and not self._waiting and not self._is_answering:
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
        elif self._is_answering:
            self._service.timeouts.schedule(self, IDLE_TIMEOUT)
        elif self._stage == NONE or self._waiting:
            self._end()
        else:
            part, seconds = ("body", BODY_TIMEOUT) if self._head_done else ("head", HEAD_TIMEOUT)
            self._refuse(refusals.too_slow(part, seconds))

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
        is_waiting = self._is_paused or self._waiting or self._is_answering
        if is_upgrade and not is_waiting:
            upgraded = self._service.upgrade(request, self._version(), self._transport)
            if isinstance(upgraded, asyncio.Protocol):
                self._successor = upgraded
                return
            # What follows a refused one may be of the protocol that was asked for.
            if isinstance(upgraded, Response):
                self._write(upgraded, request.method, keep_alive and upgraded.status < 400)
            else:
                self._await(upgraded, request.method, keep_alive, is_upgrade=True)
        elif is_waiting:
            # An upgrade cannot wait: it is answered as if it were none, and ends the socket.
            self._put_off(request, keep_alive and not is_upgrade)
        else:
            self._answer(request, keep_alive)
        self._reset()
        self._expires = self._service.timeouts.now + IDLE_TIMEOUT

    # Parts

    def _answer(self, request: Request | Response, keep_alive: bool) -> None:
        if isinstance(request, Response):
            self._refuse(request)
            return
        # hot path
        response = self._service.handle(request)
        if isinstance(response, Response):
            self._write(response, request.method, keep_alive)
        else:
            self._await(response, request.method, keep_alive)

    def _await(self, response: Future[Response], method: str, keep_alive: bool, *, is_upgrade: bool = False) -> None:
        """Read nothing more until an answer is there; what has been read waits."""
        self._is_answering = True
        self._send_behind_bus()
        self._transport.pause_reading()
        response.add_done_callback(partial(self._answered, method, keep_alive, is_upgrade))

    def _answered(self, method: str, keep_alive: bool, is_upgrade: bool, done: Future[Response]) -> None:
        self._is_answering = False
        if done.cancelled():
            self._transport.abort()
        elif not self._transport.is_closing():
            response = done.result()
            self._write(response, method, keep_alive and not (is_upgrade and response.status >= 400))
            self._send_behind_bus()
            self._go_on()

    def _go_on(self) -> None:
        """Answer what has waited, and read on when nothing waits any more."""
        waiting = self._waiting
        while waiting and not (self._is_paused or self._is_answering or self._is_ended):
            self._answer(*waiting.popleft())
            self._send_behind_bus()
        if not (self._is_paused or self._is_answering) and not self._transport.is_closing():
            self._transport.resume_reading()

    def _put_off(self, request: Request | Response, keep_alive: bool) -> None:
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append((request, keep_alive))

    def _write(self, response: Response, method: str, keep_alive: bool) -> None:
        if self._is_ended:
            return
        keep_alive = keep_alive and not self._service.is_draining
        self._out.append(self._service.answers.encode(response, keep_alive=keep_alive, head_only=method == "HEAD"))
        if not keep_alive:
            self._end()
        elif len(self._out) >= _MAX_OUT:
            self._send()

    def _send_behind_bus(self) -> None:
        # hot path
        after_bus = self._service.after_bus
        if after_bus is None:
            self._send()
        else:
            after_bus(self._send_if_open)

    def _send_if_open(self) -> None:
        if not self._transport.is_closing():
            self._send()

    def _send(self) -> None:
        out = self._out
        if out:
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))
            out.clear()

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

    def _refuse(self, response: Response) -> None:
        """Answer a request that is not read to its end, after those before it, and close."""
        if self._is_ended:
            return
        if self._waiting or self._is_answering:
            self._put_off(response, False)
            self._parser = None
            return
        self._out.append(self._service.answers.encode(response, keep_alive=False))
        self._send()
        self._service.refused(response)
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
        self._service.timeouts.schedule(self, HEAD_TIMEOUT)
        after_bus = self._service.after_bus
        if after_bus is None or not self._out:
            self._finish()
        else:
            after_bus(self._finish)

    def _finish(self) -> None:
        self._send_if_open()
        self._transport.close()

    def _forget(self) -> None:
        self._service.timeouts.discard(self)
        self._service.closed(self)
        # The parser holds the protocol too.
        self._parser = None

    def _go_ahead(self) -> None:
        self._out.append(CONTINUE)

    def _expire_in(self, seconds: int) -> None:
        self._expires = self._service.timeouts.now + seconds
        self._service.timeouts.schedule(self, seconds)
