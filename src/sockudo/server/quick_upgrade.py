"""Reads handshakes the quick way: as browsers and client libraries send them, in the first bytes of a socket.

What is not so is left to the general way (`front.Front.upgrade`), before anything has happened: an unknown app, a store
that has to be asked, whatever `websocket/quick_handshake.py` does not read. A server with a limit on new connections by
address has no quick way.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from sockudo.api.request_ids import request_ids
from sockudo.apps.base import AppManager
from sockudo.eventual import Future, dropped
from sockudo.node.node import Opening
from sockudo.pusher.query import parse_query
from sockudo.server.websocket import WebSocketContext
from sockudo.websocket.handshake import accepted
from sockudo.websocket.quick_handshake import QuickReader, fields_of, target_of

# Clients of one library have the same target; a stream of made-up ones does not grow the table.
_MOST_TARGETS: Final = 1024
_LONGEST_TARGET: Final = 512

# Path, app key, and version of the protocol.
Target = tuple[str, str, str | None]


class QuickUpgrades:
    """Reads handshakes.

    Args:
        app_key: returns the key in a path, or None where the path is no WebSocket.
    """

    def __init__(self, apps: AppManager, app_key: Callable[[str], str | None], websockets: WebSocketContext) -> None:
        self._apps = apps
        self._app_key = app_key
        self._reader = QuickReader(negotiates=websockets.compression is not None)
        self._targets: dict[bytes, Target] = {}

    @property
    def remembered(self) -> int:
        """How many targets, lines and names of headers are remembered."""
        return len(self._targets) + self._reader.remembered

    def read(self, data: bytes) -> tuple[bytes, Opening] | None:
        """Return the 101 response to the first bytes of a socket, and what its client says.

        None is for the general way: nothing has happened.
        """
        # hot path
        handshake = self._reader.read(data)
        if handshake is None:
            return None
        lines, websocket_key, origin = handshake
        target = self._targets.get(lines[0]) or self._learn(lines[0])
        if target is None:
            return None
        path, key, version = target
        app = self._apps.by_key(key)
        if app is None:
            return None
        if isinstance(app, Future):
            dropped(app)
            return None
        return accepted(websocket_key), Opening(app, version, origin, path, partial(_ids_of, lines))

    def _learn(self, request: bytes) -> Target | None:
        text = target_of(request)
        if text is None or len(text) > _LONGEST_TARGET:
            return None
        path, _, query = text.decode("ascii").partition("?")
        key = self._app_key(path)
        if key is None:
            return None
        if len(self._targets) >= _MOST_TARGETS:
            self._targets.clear()
        target = path, key, parse_query(query).last.get("protocol") if query else None
        self._targets[request] = target
        return target


def _ids_of(lines: list[bytes]) -> dict[str, str]:
    return request_ids(fields_of(lines))
