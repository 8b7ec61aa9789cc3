"""The writing half of an HTTP socket: sends answers in the order of the requests.

Answers leave in the order of the requests. Where there is a bus, an answer leaves after the messages that its request
put on the bus. So a back end that reads the success can rely on this: its event is ahead of its next request, on every
node.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import Final, TypeVar

from sockudo.api.messages import Request, Response
from sockudo.eventual import Eventual, Future
from sockudo.server.http.reader import HttpReader
from sockudo.server.http.service import Service
from sockudo.server.http.upload import Upload
from sockudo.server.timeouts import HEAD_TIMEOUT, IDLE_TIMEOUT

# Answers that are gathered at most, so that a peer that does not read is noticed between two of them.
_MAX_OUT: Final = 16

_AnyRequest = TypeVar("_AnyRequest", bound=Request)


class HttpWriter(HttpReader):
    """Has requests answered, and writes the answers; when more is read, the other half decides."""

    __slots__ = (
        "_expires",
        "_is_answering",
        "_is_ended",
        "_is_paused",
        "_out",
        "_peer",
        "_service",
        "_transport",
        "_waiting",
        "deadline",
    )

    _transport: asyncio.Transport

    def __init__(self, service: Service) -> None:
        super().__init__(service.max_body_bytes)
        self._service = service
        # Requests, and at most one refusal behind them, each with whether the socket stays open after its answer.
        self._waiting: deque[tuple[Request | Upload | Response, bool]] | None = None
        # Answers to the requests of one read, which leave in one write.
        self._out: list[bytes] = []
        self._is_paused = False
        # A store is asked for the answer to the last request.
        self._is_answering = False
        self._is_ended = False
        self._peer: str | None = None
        self.deadline = 0
        self._expires = 0

    def expire(self, now: int) -> None:
        """End the socket, or ask for a later deadline."""
        raise NotImplementedError

    def _go_on(self) -> None:
        """Carry out what has waited, and read on when nothing waits any more."""
        raise NotImplementedError

    def _drop_unread(self) -> None:
        """Free what is kept of requests that will not be carried out."""
        raise NotImplementedError

    # Requests

    def _request(self, kind: type[_AnyRequest]) -> _AnyRequest:
        # hot path
        assert self._parser is not None
        url, _, query = self._url.partition(b"?")
        return kind(
            self._parser.get_method().decode("ascii"),
            url.decode("utf-8", "surrogateescape"),
            query.decode("utf-8", "surrogateescape"),
            self._fields,
            bytes(self._body),
            self._peer,
        )

    def _published_again(self, data: bytes) -> bool:
        """Publish the event of a request with a known head; return whether `data` was one."""
        # hot path
        service = self._service
        if service.publish_quickly is None or self._is_paused or self._waiting or self._is_answering:
            return False
        known = service.known_heads.find(data)
        if known is None:
            return False
        response = service.publish_quickly(known.target, known.body, self._peer, lambda: known.request(self._peer))
        if response is None:
            return False
        self._respond(response, "POST", keep_alive=True)
        self._expires = service.timeouts.now + IDLE_TIMEOUT
        return True

    def _must_wait(self) -> bool:
        return bool(self._is_paused or self._waiting or self._is_answering)

    def _respond(self, response: Eventual[Response], method: str, keep_alive: bool) -> None:
        # hot path
        if isinstance(response, Response):
            self._write(response, method, keep_alive)
        else:
            self._await(response, method, keep_alive)

    def _put_off(self, request: Request | Upload | Response, keep_alive: bool) -> None:
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append((request, keep_alive))

    # Answers

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
        if not self._out:
            return
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

    def _is_refused(self) -> bool:
        """Tell whether a callback has stopped the parser on purpose; anything else is a mistake of our own."""
        return self._is_ended or self._parser is None

    def _refuse(self, response: Response, *, head_only: bool = False, is_noted: bool = False) -> None:
        """Answer a request that is not read to its end, after those before it, and close.

        Args:
            is_noted: whoever answers requests has refused this one, and has told the log of it.
        """
        if self._is_ended:
            return
        self._drop_unread()
        if self._waiting or self._is_answering:
            self._put_off(response, False)
            self._parser = None
            return
        self._out.append(self._service.answers.encode(response, keep_alive=False, head_only=head_only))
        self._send()
        if not is_noted:
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
        self._drop_unread()
        self._service.timeouts.schedule(self, HEAD_TIMEOUT)
        after_bus = self._service.after_bus
        if after_bus is None or not self._out:
            self._finish()
        else:
            after_bus(self._finish)

    def _finish(self) -> None:
        self._send_if_open()
        self._transport.close()

    def _expire_in(self, seconds: int) -> None:
        self._expires = self._service.timeouts.now + seconds
        self._service.timeouts.schedule(self, seconds)
