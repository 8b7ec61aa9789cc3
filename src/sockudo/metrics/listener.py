"""Listens for scrapes: it serves `GET /metrics` and nothing else, within the limits of every other HTTP socket."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from typing import Final

from sockudo.api.messages import Request, Response, error_response
from sockudo.eventual import Eventual
from sockudo.log import get_logger
from sockudo.metrics.exposition import CONTENT_TYPE
from sockudo.metrics.scrape_socket import ScrapeSocket, TextInParts
from sockudo.metrics.scrapes import Scrapes
from sockudo.server.http.answers import Answers
from sockudo.server.http.body_budget import BodyBudget
from sockudo.server.http.known_heads import KnownHeads
from sockudo.server.http.service import QuickPublish, Socket
from sockudo.server.timeouts import Timeouts
from sockudo.server.turn_budget import TurnBudget
from sockudo.supervisor.listening.listeners import Sockets

_log = get_logger("sockudo.metrics")

MOST_SOCKETS: Final = 32
"""Open at the same time; a scraper has one."""

_PATH: Final = "/metrics"
_METHODS: Final = ("GET", "HEAD")


class MetricsListener:
    """Answers on the metrics port: the `Service` of its sockets.

    Args:
        token: what a scraper has to send; none where everybody may read.
        now: returns Unix seconds.

    Attributes:
        port: where it listens, or has listened last.
    """

    def __init__(
        self, scrapes: Scrapes, token: str | None, timeouts: Timeouts, turn: TurnBudget, now: Callable[[], float]
    ) -> None:
        self._scrapes = scrapes
        self._credentials = None if token is None else f"Bearer {token}".encode()
        self._now = now
        # The one that has been silent for longest is the first.
        self._sockets: dict[ScrapeSocket, None] = {}
        self._servers: list[asyncio.Server] = []
        self.port = 0
        self.answers = Answers((), now())
        self.timeouts = timeouts
        self.turn = turn
        self.bodies = BodyBudget(0)
        self.max_body_bytes = 0
        self.is_draining = False
        self.needs_peer = False
        self.after_bus: Callable[[Callable[[], None]], object] | None = None
        self.publish_quickly: QuickPublish | None = None
        self.known_heads = KnownHeads()

    @property
    def is_open(self) -> bool:
        """Whether it listens."""
        return bool(self._servers)

    async def open(self, sockets: Sockets) -> None:
        """Accept from sockets that listen."""
        loop = asyncio.get_running_loop()
        for bound in sockets:
            self._servers.append(await loop.create_server(lambda: ScrapeSocket(self, self._heard), sock=bound))
        host, self.port = sockets[0].getsockname()[:2]
        _log.info("metrics served", host=host, port=self.port)

    def close(self) -> None:
        """Listen no more, and drop who is connected."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        for socket in tuple(self._sockets):
            socket.abort()

    # What its sockets ask

    def handle(self, request: Request) -> Eventual[Response]:
        """Answer a request."""
        self.answers.renew(self._now())
        if request.path != _PATH:
            return error_response(404, f"Not found: this port has {_PATH} only")
        if request.method not in _METHODS:
            return error_response(405, "Method not allowed", ("Allow", ", ".join(_METHODS)))
        if not self._is_allowed(request):
            text = "Unauthorized: send the token of the server as a bearer token (metrics.token)"
            return error_response(401, text, ("WWW-Authenticate", "Bearer"))
        return asyncio.ensure_future(self._scrape())

    def upgrade(
        self, request: Request, http_version: str, transport: asyncio.Transport
    ) -> asyncio.Protocol | Eventual[Response]:
        """Answer a request as if it had not asked for an upgrade."""
        return self.handle(request)

    def turn_away(self) -> Response | None:
        """Make room for a new socket: the one that has been silent for longest gives way to it.

        A socket whose scrape is under way keeps its place. Where all are such sockets, return the refusal.
        """
        if len(self._sockets) < MOST_SOCKETS:
            return None
        for socket in self._sockets:
            if not socket.is_answering:
                # The event loop says later that it is gone; its place is free now.
                del self._sockets[socket]
                socket.abort()
                return None
        text = f"Over capacity: the metrics port has room for {MOST_SOCKETS} connections"
        return error_response(503, text, ("Retry-After", "1"))

    def refused(self, response: Response, request: Request | None = None) -> None:
        """Do nothing: who asks wrongly here is no client of an app."""

    def opened(self, connection: Socket) -> None:
        """Note a new socket."""
        assert isinstance(connection, ScrapeSocket), "the listener makes no other"
        self._sockets[connection] = None

    def closed(self, connection: Socket) -> None:
        """Forget a socket."""
        if isinstance(connection, ScrapeSocket):
            self._sockets.pop(connection, None)

    def _heard(self, socket: ScrapeSocket) -> None:
        if socket in self._sockets:
            del self._sockets[socket]
            self._sockets[socket] = None

    def _is_allowed(self, request: Request) -> bool:
        if self._credentials is None:
            return True
        given = request.header(b"authorization") or ""
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._credentials)

    async def _scrape(self) -> Response:
        try:
            return TextInParts(await self._scrapes.text(), CONTENT_TYPE)
        except Exception as error:
            _log.error("metrics: scrape failed", exc_info=error)
            return error_response(500, "Internal server error")
