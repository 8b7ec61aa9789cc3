"""Holds a socket whose upgrade waits for a store: for its app, or for the rate limiter."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from sockudo.api.messages import Response
from sockudo.eventual import Future
from sockudo.server.http.service import Service

_T = TypeVar("_T")


class PendingUpgrade(asyncio.Protocol):
    """Reads nothing until the answer is there; then the socket is a WebSocket, or refused.

    Args:
        answer: what is waited for; never fails.
        go_on: makes the socket's protocol of the answer, or a refusal.
    """

    def __init__(
        self,
        service: Service,
        transport: asyncio.Transport,
        answer: Future[_T],
        go_on: Callable[[_T], asyncio.Protocol | Response],
    ) -> None:
        self._service = service
        self._transport = transport
        # What came in one read with the handshake.
        self._rest = b""
        transport.set_protocol(self)
        transport.pause_reading()
        service.opened(self)
        answer.add_done_callback(lambda done: self._settle(done, go_on))

    def data_received(self, data: bytes) -> None:
        self._rest += data

    def connection_lost(self, exc: Exception | None) -> None:
        self._service.closed(self)

    def drain(self) -> None:
        """Do nothing: the node that leaves refuses the client when the answer is there."""

    def abort(self) -> None:
        """Drop the socket at once."""
        self._transport.abort()

    def _settle(self, done: Future[_T], go_on: Callable[[_T], asyncio.Protocol | Response]) -> None:
        transport = self._transport
        if transport.is_closing():
            return
        if done.cancelled():
            transport.abort()
            return
        protocol = go_on(done.result())
        if isinstance(protocol, Response):
            transport.write(self._service.answers.encode(protocol, keep_alive=False))
            transport.close()
            return
        self._service.closed(self)
        if self._rest:
            protocol.data_received(self._rest)
        if not transport.is_closing():
            transport.resume_reading()
