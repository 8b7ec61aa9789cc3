"""Handles every socket from its first byte: HTTP requests, and upgrades of `/app/KEY` to WebSockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias
from urllib.parse import unquote

from sockudo.api.messages import Request, Response, error_response
from sockudo.api.routes import Routes
from sockudo.api.throttle import Throttle
from sockudo.apps.app import App
from sockudo.apps.base import AppManager
from sockudo.eventual import Eventual, Future, caught, later
from sockudo.node import connection_errors
from sockudo.node.connection_errors import app_label
from sockudo.node.node import Opening
from sockudo.pusher.codes import Code
from sockudo.pusher.errors import CloseConnection
from sockudo.pusher.query import parse_query
from sockudo.ratelimit.base import Decision
from sockudo.ratelimit.counters import RateLimitCounters
from sockudo.server.accepted_socket import AcceptedSocket
from sockudo.server.accepting.arrived import ArrivedSocket, Handing
from sockudo.server.compressed_websocket import new_websocket
from sockudo.server.http import refusals
from sockudo.server.http.known_heads import KnownHeads
from sockudo.server.http.service import HttpContext, QuickPublish, Socket
from sockudo.server.pending_upgrade import PendingUpgrade
from sockudo.server.quick_upgrade import QuickUpgrades
from sockudo.server.timeouts import Timeouts
from sockudo.server.turn_budget import TurnBudget
from sockudo.server.websocket import WebSocketContext
from sockudo.supervisor.open_files import SocketRoom
from sockudo.websocket.handshake import HandshakeError, accept, is_upgrade

_Admitted: TypeAlias = App | CloseConnection | Response | None

_NOT_FOUND_NOW: Final = "The app cannot be looked up now (app_manager)"


class Front:
    """Answers requests and upgrades of all sockets of one server.

    Args:
        app_path: below which clients connect; None where there are no clients.
    """

    def __init__(
        self,
        *,
        apps: AppManager,
        routes: Routes,
        websockets: WebSocketContext,
        http: HttpContext,
        throttle: Throttle | None,
        limited: RateLimitCounters,
        app_path: str | None,
    ) -> None:
        self._apps = apps
        self._routes = routes
        self._throttle = throttle
        self.limited = limited
        self._app_path = app_path
        self.websockets = websockets
        # By themselves: sockets read them all the time.
        self.answers = http.answers
        self.timeouts: Timeouts = websockets.timeouts
        self.turn: TurnBudget = websockets.turn
        self.bodies = http.bodies
        self.max_body_bytes = http.max_body_bytes
        self.needs_peer = http.needs_peer
        self.after_bus = http.after_bus
        self.publish_quickly: QuickPublish | None = None if http.quick_events is None else http.quick_events.publish
        self.known_heads = KnownHeads()
        # Makes the protocol of a new socket.
        self.protocol: Callable[[], AcceptedSocket] = partial(AcceptedSocket, self)
        # A throttle looks at the headers.
        self.quick_upgrades = QuickUpgrades(apps, self._app_key, websockets) if throttle is None else None
        self.is_draining = False
        self.room = SocketRoom()
        self._http: set[Socket] = set()
        self._on_idle: Callable[[], None] | None = None

    def arrived(self, arrival: Handing) -> ArrivedSocket:
        """Return the protocol of a socket that has come through a door."""
        return ArrivedSocket(self, arrival)

    def turn_away(self) -> Response | None:
        """Return the answer to a new socket for which there is no room, and count it; None where there is room."""
        # hot path
        if len(self._http) + len(self.timeouts.young) + len(self.websockets.sockets) < self.room.most:
            return None
        self.room.refused += 1
        return refusals.no_room(self.room.most)

    def opened(self, connection: Socket) -> None:
        """Note a new socket."""
        self._http.add(connection)

    def closed(self, connection: Socket) -> None:
        """Forget a socket that is gone or no longer HTTP."""
        self._http.discard(connection)
        self._tell_if_idle()

    def left_young(self, socket: AcceptedSocket) -> None:
        """Forget a young socket, which is gone or has said what it is."""
        # hot path
        self.timeouts.young.pop(socket, None)
        if self._on_idle is not None:
            self._tell_if_idle()

    def handle(self, request: Request) -> Eventual[Response]:
        """Answer a request."""
        return self._routes.handle(request)

    def refused(self, response: Response, request: Request | None = None) -> None:
        """Note an answer that refuses an upgrade, or a request that was not read to its end."""
        noted = self.websockets.node.refusals
        if noted.is_told(response.status):
            reason = response.body.decode("utf-8", "replace")
            if request is None:
                noted.note("request refused", response.status, reason)
            else:
                noted.note(
                    "upgrade refused",
                    response.status,
                    reason,
                    signed_text=b"",
                    path=request.path,
                    peer=request.peer,
                    **request.ids(),
                )
        else:
            noted.count(response.status)

    def upgrade(
        self, request: Request, http_version: str, transport: asyncio.Transport
    ) -> asyncio.Protocol | Eventual[Response]:
        """Open a WebSocket on `/app/KEY`; any other request is answered as if it had not asked for an upgrade."""
        key = self._app_key(request.path)
        if key is None or not is_upgrade(request.headers):
            return self._routes.handle(request)
        found = self._admit(request, key)
        if isinstance(found, Future):
            return PendingUpgrade(self, transport, found, partial(self._open, request, http_version, transport))
        return self._open(request, http_version, transport, found)

    def _admit(self, request: Request, key: str) -> Eventual[_Admitted]:
        """Return the app that a client may connect to, or the answer that refuses the upgrade."""
        if self._throttle is None:
            return self._app(key)
        admitted = self._throttle.admit(request, self.limited.websocket_upgrade)
        if isinstance(admitted, Future):
            return later(admitted, partial(self._admitted, key))
        return self._admitted(key, admitted)

    def _admitted(self, key: str, made: Decision | Response) -> Eventual[_Admitted]:
        return made if isinstance(made, Response) else self._app(key)

    def _app(self, key: str) -> Eventual[_Admitted]:
        app = self._apps.by_key(key)
        if isinstance(app, Future):
            found: Future[_Admitted] = later(app, _same)
            return caught(found, lambda _: CloseConnection(Code.OVER_CAPACITY, _NOT_FOUND_NOW))
        return app

    def _open(
        self, request: Request, http_version: str, transport: asyncio.Transport, app: _Admitted
    ) -> asyncio.Protocol | Response:
        totals = self.websockets.node.hub.totals
        if isinstance(app, Response):
            totals[app_label(None)].errors[connection_errors.UPGRADE_ERROR] += 1
            self.refused(app, request)
            return app
        try:
            handshake = accept(request.method.encode(), http_version, request.headers)
            compression = self.websockets.compression
            agreed = None if compression is None else compression.agree_on_head(request.headers)
        except HandshakeError as refused:
            totals[app_label(app)].errors[connection_errors.UPGRADE_FAILED] += 1
            response = error_response(refused.status, refused.reason, *refused.headers)
            self.refused(response, request)
            return response
        protocol = new_websocket(self.websockets, agreed)
        protocol.take_over(transport)
        version = parse_query(request.query).last.get("protocol") if request.query else None
        opening = Opening(app, version, request.header(b"origin"), request.path, request.ids)
        protocol.open(handshake, opening, request.peer)
        return protocol

    @property
    def http_connections(self) -> set[Socket]:
        """The sockets that speak HTTP, and those that have not said anything yet."""
        return {*self._http, *self.timeouts.young}

    @property
    def http_count(self) -> int:
        """How many `http_connections` there are."""
        return len(self._http) + len(self.timeouts.young)

    @property
    def open_count(self) -> int:
        """How many sockets are open."""
        return self.http_count + self.websockets.open_count

    def wind_down(self, on_idle: Callable[[], None]) -> None:
        """Let every HTTP connection end with its next answer.

        Args:
            on_idle: called when the last one is gone.
        """
        self.is_draining = True
        self._on_idle = on_idle

    def drain(self, on_idle: Callable[[], None]) -> None:
        """Let every HTTP connection end with its next answer, and admit no client.

        Args:
            on_idle: called when the last HTTP connection is gone, and when the last WebSocket is.
        """
        self.is_draining = True
        self._on_idle = self.websockets.on_idle = on_idle

    def close_idle(self) -> None:
        """Close the HTTP connections on which no request is under way."""
        for connection in self.http_connections:
            connection.drain()

    def _tell_if_idle(self) -> None:
        if self._on_idle is not None and not self.http_count:
            self._on_idle()

    def _app_key(self, path: str) -> str | None:
        if self._app_path is None:
            return None
        if path.startswith("//"):
            # pusher-js puts a slash after its `wsPath`, which may be "/".
            path = "/" + path.lstrip("/")
        if not path.startswith(self._app_path):
            return None
        key = path[len(self._app_path) :].removesuffix("/")
        if not key or "/" in key:
            return None
        return unquote(key) if "%" in key else key


def _same(app: _Admitted) -> _Admitted:
    return app
