"""A WebSocket with compression: it inflates what comes, in slices, and its connection gets compressed frames."""

from __future__ import annotations

from sockudo.node.node import Opening
from sockudo.server.compression import Agreed
from sockudo.server.websocket import PART, WebSocketContext, WebSocketProtocol
from sockudo.websocket.inflating import InflatingReader


def new_websocket(context: WebSocketContext, agreed: Agreed | None = None) -> WebSocketProtocol:
    """Return the protocol of a socket that is upgraded."""
    # hot path
    if agreed is None:
        return WebSocketProtocol(context)
    return CompressedWebSocket(context, agreed)


class CompressedWebSocket(WebSocketProtocol):
    """One upgraded socket whose client has agreed on compression.

    What takes more than one slice to inflate waits for the next turns, as bytes do that came too fast.
    """

    __slots__ = ("_agreed", "_inflating", "_is_behind", "_is_working", "encoding")

    def __init__(self, context: WebSocketContext, agreed: Agreed) -> None:
        super().__init__(context)
        self._agreed = agreed
        self.encoding = agreed.encoding
        self._is_behind = False
        # Whether this call carries out what was kept: then it goes on by itself.
        self._is_working = False
        self._inflating = InflatingReader(context.max_message_bytes)

    def open(self, handshake: bytes, opening: Opening, peer: str | None) -> None:
        super().open(self._agreed.in_response(handshake), opening, peer)
        self._reader = self._inflating

    def data_received(self, data: bytes) -> None:
        # hot path
        reader, connection = self._inflating, self._connection
        if data and not self._is_working and (self._is_behind or len(data) > PART):
            # The transport had it when it was paused; or it may ask for much that has to be compressed.
            self._kept = memoryview(self._kept.tobytes() + data)
            if not self._is_waiting:
                self.proceed()
            return
        super().data_received(data)
        self._is_behind = reader.is_behind
        saved, reader.saved = reader.saved, 0
        if saved:
            # Inflating takes time as reading does.
            self._turn.left -= max(saved, 0)
            if connection is not None:
                # The session has counted what was inflated; these are the bytes of the wire.
                connection.totals.bytes_received -= saved
        if self._is_behind and not (self._is_working or self._is_waiting or self._is_held):
            self._wait()

    def _work(self, until: float) -> None:
        self._is_working = True
        try:
            super()._work(until)
        finally:
            self._is_working = False

    def _unserved(self, data: bytes) -> None:
        self._inflating.skim()
        super()._unserved(data)
