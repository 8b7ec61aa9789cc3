"""The asyncio protocol of a socket from its acceptance on: one object, which is a WebSocket from its first read on.

Where the first read is a usual handshake (`quick_upgrade.py`), the same object goes on as the WebSocket, so that a
client costs one protocol. Every other first read makes it an HTTP socket, before anything has happened. A socket that
has not said anything is young: it counts among the HTTP sockets, and ends after `HEAD_TIMEOUT`.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, Protocol

from sockudo.server.http.protocol import HttpProtocol
from sockudo.server.http.service import Service
from sockudo.server.quick_upgrade import QuickUpgrades
from sockudo.server.timeouts import HEAD_TIMEOUT
from sockudo.server.turn_budget import READ_COST
from sockudo.server.websocket import WebSocketContext, WebSocketProtocol
from sockudo.websocket.quick_handshake import LONGEST

# Takes the place of the protocol of a socket that is turned away: what the peer says is ignored.
_IGNORING: Final = asyncio.Protocol()


class Entrance(Service, Protocol):
    """Serves a socket, whatever protocol it turns out to speak."""

    websockets: WebSocketContext
    # Reads usual handshakes; None where every request must go the general way.
    quick_upgrades: QuickUpgrades | None

    def left_young(self, socket: AcceptedSocket) -> None:
        """Forget a young socket, which is gone or has said what it is."""


class AcceptedSocket(WebSocketProtocol):
    """One socket: young, then a WebSocket; or young, and then replaced by an HTTP protocol."""

    __slots__ = ("_entrance", "_peer")

    def __init__(self, entrance: Entrance) -> None:
        super().__init__(entrance.websockets)
        # None from the first read on.
        self._entrance: Entrance | None = entrance
        self._peer: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # hot path
        entrance = self._entrance
        assert entrance is not None
        # uvloop's transports are not instances of asyncio's class.
        made: Any = transport
        no_room = entrance.turn_away()
        if no_room is not None:
            made.set_protocol(_IGNORING)
            made.write(entrance.answers.encode(no_room, keep_alive=False))
            made.close()
            return
        self._attach(made)
        if entrance.needs_peer:
            peer = made.get_extra_info("peername")
            self._peer = peer[0] if isinstance(peer, tuple) else None
        timeouts = entrance.timeouts
        timeouts.young[self] = timeouts.now

    def connection_lost(self, exc: Exception | None) -> None:
        entrance = self._entrance
        if entrance is None:
            super().connection_lost(exc)
        else:
            self._entrance = None
            entrance.left_young(self)

    def drain(self) -> None:
        """End a young socket, which has asked for nothing."""
        if self._entrance is not None:
            self._become_http(self._entrance).drain()

    def expire(self, now: int) -> None:
        """End a socket that has said nothing, or has not answered a close frame."""
        if self._entrance is None:
            super().expire(now)
        else:
            self._become_http(self._entrance).expire(now)

    def _may_take(self, data: bytes) -> bool:
        entrance = self._entrance
        if entrance is None:
            return super()._may_take(data)
        if len(data) <= LONGEST and self._turn.has_time():
            return True
        self._speak_http(entrance, data)
        return False

    def _unserved(self, data: bytes) -> None:
        # hot path
        entrance = self._entrance
        if entrance is None:
            super()._unserved(data)
            return
        quick = entrance.quick_upgrades
        found = None if quick is None else quick.read(data)
        if found is None:
            self._speak_http(entrance, data)
            return
        self._entrance = None
        entrance.left_young(self)
        self.open(found[0], found[1], self._peer)

    def _speak_http(self, entrance: Entrance, data: bytes) -> None:
        """Leave the socket to HTTP with its first bytes, which cost their share of the turn once."""
        self._turn.left += len(data) + READ_COST
        self._become_http(entrance).data_received(data)

    def _become_http(self, entrance: Entrance) -> HttpProtocol:
        self._entrance = None
        timeouts = entrance.timeouts
        # One that has expired is no longer among the young.
        began = timeouts.young.get(self, timeouts.now - HEAD_TIMEOUT)
        protocol = HttpProtocol(entrance)
        self._transport.set_protocol(protocol)
        protocol.take_over(self._transport, self._peer, began)
        entrance.left_young(self)
        return protocol
