"""Answers plain HTTP with a redirect to TLS, on a port of its own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Final

from sockudo.api.messages import Request, Response, error_response
from sockudo.eventual import Eventual
from sockudo.log import get_logger
from sockudo.server.accepting.arrived import ArrivedProtocol, Handing
from sockudo.server.accepting.door import Door
from sockudo.server.front import Front
from sockudo.server.http.known_heads import KnownHeads
from sockudo.server.http.protocol import HttpProtocol
from sockudo.server.http.service import QuickPublish, Socket
from sockudo.supervisor.listening.listeners import BACKLOG, Sockets

_log = get_logger("sockudo.server")

# A name or an IPv4 address, or an IPv6 address in brackets, and perhaps a port (RFC 9110, section 7.2).
_HOST: Final = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?", re.ASCII)
# What a URL may have; anything else was never one.
_TARGET: Final = re.compile(r"/[!-~]*", re.ASCII)


class Redirect:
    """Tells every client of plain HTTP where the same is over TLS.

    Args:
        front: what the sockets count with, until they are closed.
    """

    def __init__(self, front: Front) -> None:
        self._front = front
        self._tls_port = 0
        self._listeners: list[asyncio.Server] = []
        # What proxies that name their clients go through; None where there are none.
        self.door: Door | None = None
        self.answers = front.answers
        self.timeouts = front.timeouts
        self.turn = front.turn
        self.bodies = front.bodies
        self.max_body_bytes = front.max_body_bytes
        self.needs_peer = False
        self.after_bus: Callable[[Callable[[], None]], object] | None = None
        self.publish_quickly: QuickPublish | None = None
        self.known_heads = KnownHeads()

    async def open(self, sockets: Sockets, tls_port: int) -> None:
        """Accept from sockets that listen, and send their clients to this port."""
        self._tls_port = tls_port
        if not sockets:
            _log.warning("HTTP redirect unavailable: it was switched on after the start; restart the server")
        loop = asyncio.get_running_loop()
        for bound in sockets:
            if self.door is not None:
                self.door.open(bound)
            else:
                server = await loop.create_server(lambda: HttpProtocol(self), sock=bound, backlog=BACKLOG)
                self._listeners.append(server)

    def close(self) -> None:
        """Accept nothing more."""
        for listener in self._listeners:
            listener.close()
        if self.door is not None:
            self.door.close()

    @property
    def is_draining(self) -> bool:
        """Whether every answer is the last of its socket."""
        return self._front.is_draining

    def handle(self, request: Request) -> Eventual[Response]:
        """Answer a request."""
        found = _HOST.fullmatch(request.header(b"host") or "")
        target = f"{request.path}?{request.query}" if request.query else request.path
        if found is None or not _TARGET.fullmatch(target):
            return error_response(400, "Invalid Host header or URL: there is no place to redirect this request to")
        return Response(308, headers=(("Location", f"https://{found[1]}:{self._tls_port}{target}"),))

    def upgrade(
        self, request: Request, http_version: str, transport: asyncio.Transport
    ) -> asyncio.Protocol | Eventual[Response]:
        """Answer as any other request: a client that follows redirects upgrades over TLS."""
        return self.handle(request)

    def arrived(self, arrival: Handing) -> ArrivedProtocol:
        """Return the protocol of a socket that has come through the door."""
        return ArrivedProtocol(self, arrival)

    def turn_away(self) -> Response | None:
        """Return the answer to a new socket for which there is no room, and count it; None where there is room."""
        return self._front.turn_away()

    def refused(self, response: Response, request: Request | None = None) -> None:
        """Note an answer that refuses a request before it has been read to its end."""
        self._front.refused(response, request)

    def opened(self, connection: Socket) -> None:
        """Note a new socket."""
        self._front.opened(connection)

    def closed(self, connection: Socket) -> None:
        """Forget a socket that is gone."""
        self._front.closed(connection)
