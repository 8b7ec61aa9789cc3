"""The asyncio protocol of one HTTP/1.1 socket: keep-alive, pipelining, time limits (RFC 9112).

Rules: a request is handed on when it is whole. Answers leave in the order of the requests. After a request that is not
understood the socket is closed, since where the next one begins is not known. What a peer gets does not depend on how
the transport cut its bytes into segments. A socket has its share of each turn of the loop; bytes that it gets beyond
that are kept, and nothing more is read until they are carried out.
"""

from __future__ import annotations

import asyncio
from typing import Final, cast

import httptools

from sockudo.api.messages import Request, Response
from sockudo.eventual import Eventual
from sockudo.server.http import refusals
from sockudo.server.http.known_heads import Fields
from sockudo.server.http.large_requests import LargeRequests
from sockudo.server.http.reader import MAX_PART, NONE
from sockudo.server.http.service import Service
from sockudo.server.http.upload import Upload
from sockudo.server.timeouts import BODY_TIMEOUT, IDLE_TIMEOUT
from sockudo.server.turn_budget import READ_COST

_NOTHING: Final = memoryview(b"")


class HttpProtocol(LargeRequests):
    """One socket until it is closed or upgraded."""

    __slots__ = ("_is_waiting", "_kept", "_published", "_successor", "_turn")

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self._turn = service.turn
        self._successor: asyncio.Protocol | None = None
        # Bytes that are not parsed yet, and whether a later turn will come to them: then nothing more is read.
        self._kept = _NOTHING
        self._is_waiting = False
        # The target, the size of the body and the header fields of the request that was published the quick way.
        self._published: tuple[bytes, int, Fields] | None = None

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
        self._expire_in(self.head_timeout)

    def take_over(self, transport: asyncio.Transport, peer: str | None, began: int) -> None:
        """Become the protocol of a socket that was accepted in the second `began`, and whose first bytes come now."""
        self._transport = transport
        self._peer = peer
        self._service.opened(self)
        self._expire_in(self.head_timeout - (self._service.timeouts.now - began))

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()

    def data_received(self, data: bytes) -> None:
        # hot path
        turn = self._turn
        turn.left -= len(data) + READ_COST
        if (turn.left < 0 or self._kept) and not self._may_take(data):
            return
        if self._parser is None or self._is_ended:
            return
        if self._stage != NONE or not self._published_again(data):
            self._published = None
            problem = self._feed(self._parser, data)
            if problem is not None:
                self._interrupted(data, problem)
            if self._published is not None:
                self._service.known_heads.learn(data, *self._published)
        if self._out:
            self._send_behind_bus()

    def pause_writing(self) -> None:
        # A peer that asks faster than it reads answers: nothing more is read, and what has been is not answered yet.
        self._is_paused = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._is_paused = False
        self._go_on()

    def proceed(self) -> None:
        """Carry out what is kept, in a turn that has come to this socket."""
        self._is_waiting = False
        self._go_on()

    def drain(self) -> None:
        """Close when the request under way is answered; at once when there is none."""
        if self._stage == NONE and not (self._waiting or self._is_answering or self._kept):
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
        elif self._stage == NONE or self._waiting or self._kept:
            self._end()
        else:
            part, seconds = ("body", BODY_TIMEOUT) if self._head_done else ("head", self.head_timeout)
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
        keep_alive = parser.should_keep_alive()
        if self._upload is not None:
            self._complete(self._upload, keep_alive)
        elif is_upgrade:
            if not self._upgrade(self._request(Request), keep_alive):
                return
        elif self._is_paused or self._waiting or self._is_answering:
            self._put_off(self._request(Request), keep_alive)
        else:
            self._carry_out(parser.get_method(), keep_alive)
        self._reset()
        self._expires = self._service.timeouts.now + IDLE_TIMEOUT

    # Parts

    def _carry_out(self, method: bytes, keep_alive: bool) -> None:
        # hot path
        service = self._service
        response: Eventual[Response] | None = None
        if service.publish_quickly is not None and method == b"POST" and type(self._body) is bytes:
            response = service.publish_quickly(self._url, self._body, self._peer, lambda: self._request(Request))
            if response is not None and keep_alive and not self._is_chunked:
                self._published = self._url, len(self._body), self._fields
        if response is None:
            response = service.handle(self._request(Request))
        self._respond(response, method.decode("ascii"), keep_alive)

    def _upgrade(self, request: Request, keep_alive: bool) -> bool:
        """Answer a request that asks for an upgrade; return whether the socket still speaks HTTP."""
        # What was asked before is answered before.
        self._send()
        if self._must_wait():
            # An upgrade cannot wait: it is answered as if it were none, and ends the socket.
            self._put_off(request, False)
            return True
        if not self._transport.is_reading():
            # What is kept goes to the successor, which decides what is read from now on.
            self._transport.resume_reading()
        upgraded = self._service.upgrade(request, self._version(), self._transport)
        if isinstance(upgraded, asyncio.Protocol):
            self._successor = upgraded
            return False
        # What follows a refused one may be of the protocol that was asked for.
        if isinstance(upgraded, Response):
            self._write(upgraded, request.method, keep_alive and upgraded.status < 400)
        else:
            self._await(upgraded, request.method, keep_alive, is_upgrade=True)
        return True

    def _may_take(self, data: bytes) -> bool:
        """Tell whether bytes can be parsed at once; else keep them, and carry out as many as this turn has time for."""
        if not self._kept and len(data) <= MAX_PART and self._turn.has_time():
            return True
        if not (self._parser is None or self._is_ended):
            self._kept = memoryview(self._kept.tobytes() + data if self._kept else data)
        if not self._is_waiting:
            self._go_on()
        return False

    def _go_on(self) -> None:
        """Carry out what has waited and what is kept, for a share of this turn, and read on when nothing is left."""
        turn = self._turn
        if self._has_work():
            if turn.has_time():
                self._work(turn.share())
            if self._has_work():
                self._wait()
        elif self._is_ended and not turn.has_time():
            # What comes after the end is thrown away, but not without a break.
            self._wait()
        held = self._is_paused or self._is_answering or self._is_waiting or self._successor is not None
        if not held and not self._transport.is_closing():
            self._transport.resume_reading()

    def _has_work(self) -> bool:
        if self._is_paused or self._is_answering or self._is_ended:
            return False
        return bool(self._waiting or self._kept) or self._unchecked() is not None

    def _unchecked(self) -> Upload | None:
        """Return the request that is being read, if its head has to be checked still."""
        upload = self._upload
        return upload if upload is not None and not upload.is_checked else None

    def _work(self, until: float) -> None:
        while self._has_work():
            if self._waiting:
                self._answer(*self._waiting.popleft())
            elif (unchecked := self._unchecked()) is not None:
                self._check(unchecked)
            else:
                self._parse_kept()
            if self._turn.is_past(until):
                break
        self._send_behind_bus()

    def _parse_kept(self) -> None:
        size = self._part_size()
        part, self._kept = self._kept[:size], self._kept[size:]
        if self._parser is None:
            self._kept = _NOTHING
            return
        problem = self._feed(self._parser, part)
        if problem is not None:
            self._interrupted(part, problem)

    def _wait(self) -> None:
        if not (self._is_waiting or self._transport.is_closing()):
            self._is_waiting = True
            self._transport.pause_reading()
            self._turn.wait(self)

    def _interrupted(self, data: bytes | memoryview, problem: Exception) -> None:
        """Go on after the parser has stopped within `data`, at an upgrade or an error."""
        position = 0
        while isinstance(problem, httptools.HttpParserUpgrade):
            position += problem.args[0]
            successor = self._successor
            if successor is not None:
                self._hand_over(successor, bytes(data[position:]) + self._kept)
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

    def _hand_over(self, successor: asyncio.Protocol, rest: bytes) -> None:
        self._forget()
        if rest:
            successor.data_received(rest)

    def _drop_unread(self) -> None:
        """Free what is kept of requests that will not be carried out."""
        self._kept = _NOTHING
        self._body = b""
        if self._upload is not None and not self._upload.is_complete:
            self._upload.release()

    def _forget(self) -> None:
        self._drop_unread()
        self._service.timeouts.discard(self)
        self._service.closed(self)
        # The parser holds the protocol too.
        self._parser = None
