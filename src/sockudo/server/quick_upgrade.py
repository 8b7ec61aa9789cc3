"""Opens WebSockets the quick way: the first bytes of a socket are a handshake as browsers and client libraries send it.

What is not so is left to the general way (`front.Front.upgrade`), before anything has happened: an unknown app, a store
that has to be asked, whatever `websocket/quick_handshake.py` does not read. Whom the node refuses, it refuses here as
there. A server with a limit on new connections by address has no quick way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from sockudo.api.request_ids import request_ids
from sockudo.apps.base import AppManager
from sockudo.eventual import Future, dropped
from sockudo.node.node import Opening
from sockudo.pusher.query import parse_query
from sockudo.server.compressed_websocket import new_websocket
from sockudo.server.websocket import WebSocketContext
from sockudo.websocket.handshake import HandshakeError
from sockudo.websocket.quick_handshake import QuickReader, fields_of

# Clients of one library have the same target; a stream of made-up ones does not grow the table.
_MOST_TARGETS: Final = 1024
_LONGEST_TARGET: Final = 512

# Path, app key, and version of the protocol.
Target = tuple[str, str, str | None]


class QuickUpgrades:
    """Opens WebSockets.

    Args:
        app_key: returns the key in a path, or None where the path is no WebSocket.
    """

    def __init__(self, apps: AppManager, websockets: WebSocketContext, app_key: Callable[[str], str | None]) -> None:
        self._apps = apps
        self._websockets = websockets
        self._app_key = app_key
        self._compression = websockets.compression
        self._reader = QuickReader(reads_extensions=self._compression is not None)
        self._targets: dict[bytes, Target] = {}

    @property
    def remembered(self) -> int:
        """How many targets and names of headers are remembered."""
        return len(self._targets) + self._reader.remembered

    def open(self, data: bytes, transport: asyncio.Transport, peer: str | None) -> asyncio.Protocol | None:
        """Take over a socket whose first bytes these are; None, and nothing happened, if the general way must.

        Args:
            peer: the client's address where it is known; else the socket's own counts.
        """
        # hot path
        handshake = self._reader.read(data)
        if handshake is None:
            return None
        target = self._targets.get(handshake.target) or self._learn(handshake.target)
        if target is None:
            return None
        path, key, version = target
        app = self._apps.by_key(key)
        if app is None:
            return None
        if isinstance(app, Future):
            dropped(app)
            return None
        agreed = None
        if self._compression is not None and handshake.extensions is not None:
            try:
                agreed = self._compression.agree(handshake.extensions)
            except HandshakeError:
                return None
        protocol = new_websocket(self._websockets, transport, agreed)
        opening = Opening(app, version, handshake.origin, path, partial(_ids_of, handshake.lines))
        protocol.open(handshake.response, opening, peer)
        return protocol

    def _learn(self, text: bytes) -> Target | None:
        path, _, query = text.decode("ascii").partition("?")
        key = self._app_key(path)
        if key is None or len(text) > _LONGEST_TARGET:
            return None
        if len(self._targets) >= _MOST_TARGETS:
            self._targets.clear()
        target = path, key, parse_query(query).last.get("protocol") if query else None
        self._targets[text] = target
        return target


def _ids_of(lines: list[bytes]) -> dict[str, str]:
    return request_ids(fields_of(lines))
