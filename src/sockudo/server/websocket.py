"""The asyncio protocol of a WebSocket: connects bytes, `websocket.frames` and the session of the node."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from sockudo.apps.app import App
from sockudo.hub.broadcast import Encoding
from sockudo.hub.connection import Connection
from sockudo.node import connection_errors
from sockudo.node.node import Node, Opening
from sockudo.node.session import Session
from sockudo.pusher.errors import CloseConnection
from sockudo.pusher.events import error
from sockudo.ratelimit.client_address import plain_address
from sockudo.server.compression import Compression
from sockudo.server.timeouts import Timeouts
from sockudo.server.turn_budget import READ_COST, TurnBudget
from sockudo.websocket.frames import BINARY, CLOSE, PING, PONG, TEXT, FrameReader, close_frame, encode_frame, text_frame

_PING_FRAME: Final = encode_frame(PING)
_TOO_BIG: Final = 1009

# How far one write may go over the limit of unsent bytes and the client still be told; a frame is rarely larger.
_MAX_EXCESS: Final = 64 * 1024

# Bytes of one connection that are carried out between two looks at the clock: at worst 85 messages, or eight events for
# all subscribers of a channel; or a part of one large message.
PART: Final = 512
_MAX_PART: Final = 64 * 1024

_NOTHING: Final = memoryview(b"")


@dataclass(slots=True)
class WebSocketContext:
    """What every WebSocket of a server shares.

    Attributes:
        max_message_bytes: of one inbound message.
        max_buffer_bytes: unsent, above which a connection is dropped.
        compression: what agrees with clients on compression; None where it is switched off.
        sockets: those that are open, refused and closing ones included.
        on_idle: called when the last of them is gone.
    """

    node: Node
    session: Session
    timeouts: Timeouts
    turn: TurnBudget
    max_message_bytes: int
    max_buffer_bytes: int
    compression: Compression | None = None
    sockets: set[WebSocketProtocol] = field(default_factory=set)
    on_idle: Callable[[], None] | None = None

    @property
    def open_count(self) -> int:
        """How many sockets are open."""
        return len(self.sockets)


class WebSocketProtocol(asyncio.Protocol):
    """One upgraded socket; the `Wire` of its connection.

    `write` is the transport's own: a frame passes through nothing of ours on its way out.

    Attributes:
        encoding: the form of what is written; None for plain text frames.
    """

    encoding: Encoding | None = None
    # Whether the reader must go on with what it has before it can take more.
    _is_behind = False

    __slots__ = (
        "_connection",
        "_context",
        "_is_held",
        "_is_waiting",
        "_kept",
        "_reader",
        "_transport",
        "_turn",
        "deadline",
        "write",
    )

    def __init__(self, context: WebSocketContext) -> None:
        self._context = context
        self._connection: Connection | None = None
        self._turn = context.turn
        # Bytes that are not carried out yet, and whether a later turn will come to them: then nothing more is read.
        self._kept = _NOTHING
        self._is_waiting = False
        # The node has asked for a pause.
        self._is_held = False
        self.deadline = 0

    def take_over(self, transport: asyncio.Transport) -> None:
        """Become the protocol of a socket that has spoken HTTP."""
        self._attach(transport)
        transport.set_protocol(self)

    def _attach(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.write: Callable[[bytes], None] = transport.write

    @property
    def connection(self) -> Connection | None:
        """The connection that was accepted; None where it was refused, or is gone."""
        return self._connection

    @property
    def state(self) -> str:
        """What the socket does: `closing`, `open`, or it waits for its turn (`waiting`) or for an answer (`held`)."""
        if self._connection is None or not self._connection.is_open:
            return "closing"
        if self._is_held:
            return "held"
        return "waiting" if self._is_waiting else "open"

    def open(self, handshake: bytes, opening: Opening, peer: str | None) -> None:
        """Answer the upgrade, then accept the client or tell it why not.

        Args:
            peer: the client's address where it has been asked for; else the socket's own counts.
        """
        context = self._context
        self._reader = FrameReader(context.max_message_bytes)
        context.sockets.add(self)
        self._transport.set_write_buffer_limits(high=context.max_buffer_bytes)
        try:
            connection = context.node.connect(opening, self)
        except CloseConnection as refused:
            self.write(handshake + text_frame(error(refused.message, refused.code)))
            self.close(refused.code, refused.message)
            _note(context.node, opening, refused, self._transport, peer)
        else:
            self._connection = connection
            # One write: the transport makes a system call of each.
            self.write(handshake + context.node.greeting(connection))

    def data_received(self, data: bytes) -> None:
        # hot path
        turn = self._turn
        turn.left -= len(data) + READ_COST
        if turn.left < 0 and not self._may_take(data):
            return
        connection = self._connection
        if connection is None or not connection.is_open:
            self._unserved(data)
            return
        context = self._context
        connection.last_activity = context.node.keepalive.heard_by
        reader = self._reader
        for opcode, payload in reader.feed(data):
            if opcode in (TEXT, BINARY):
                context.session.receive(connection, payload)
            elif opcode == PING:
                self.write(encode_frame(PONG, payload))
            elif opcode == CLOSE:
                self._answer_close(payload)
                return
            if not connection.is_open:
                return
        if reader.error is not None:
            self._fail(reader.error.close_code, reader.error.reason)

    @property
    def is_serving(self) -> bool:
        """Whether its client is connected: neither refused, nor on its way out."""
        return self._connection is not None and self._connection.is_open

    @property
    def unsent_bytes(self) -> int:
        """How many bytes wait until the client reads."""
        return self._transport.get_write_buffer_size()

    def connection_lost(self, exc: Exception | None) -> None:
        context, connection = self._context, self._connection
        context.timeouts.closing.pop(self, None)
        self._kept = _NOTHING
        if connection is not None:
            self._connection = None
            context.node.disconnect(connection)
        context.sockets.discard(self)
        if not context.sockets and context.on_idle is not None:
            context.on_idle()

    def pause_writing(self) -> None:
        # The buffer has passed its limit; the transport watches it, so that a delivery need not.
        if self._connection is None:
            return
        excess = self._transport.get_write_buffer_size() - self._context.max_buffer_bytes
        self._context.node.drop_slow(self._connection)
        if excess > _MAX_EXCESS:
            # So many frames came at once that keeping them for the farewell would make the limit none.
            self._transport.abort()

    def ping(self) -> None:
        """Send a PING frame, which every client answers by itself (RFC 6455, section 5.5.2)."""
        self.write(_PING_FRAME)

    def pause_reading(self) -> None:
        """Take nothing more from the client for a while."""
        self._is_held = True
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take from the client again."""
        self._is_held = False
        if not self._is_waiting:
            self.proceed()

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake; the socket goes when the peer answers, or a few seconds later."""
        self.write(close_frame(code, reason))
        self._context.timeouts.begin_closing(self)

    def abort(self) -> None:
        """Drop the socket at once."""
        self._transport.abort()

    def expire(self, now: int) -> None:
        """Drop the socket of a peer that has not answered a close frame."""
        self._transport.abort()

    def proceed(self) -> None:
        """Carry out what is kept, for a share of this turn, and read on when nothing is left."""
        self._is_waiting = False
        turn = self._turn
        if (self._kept or self._is_behind) and not self._is_held:
            if turn.has_time():
                self._work(turn.share())
            if (self._kept or self._is_behind) and not self._is_held:
                self._wait()
        if not (self._is_held or self._is_waiting or self._transport.is_closing()):
            self._transport.resume_reading()

    def _may_take(self, data: bytes) -> bool:
        """Tell whether bytes can be read at once; else keep them, and carry out as many as this turn has time for."""
        if not self._kept and len(data) <= PART and self._turn.has_time():
            return True
        self._kept = memoryview(self._kept.tobytes() + data if self._kept else data)
        if not self._is_waiting:
            self.proceed()
        return False

    def _work(self, until: float) -> None:
        turn = self._turn
        while (self._kept or self._is_behind) and not self._is_held:
            size = 0 if self._is_behind else max(PART, min(self._reader.missing, _MAX_PART))
            part, self._kept = bytes(self._kept[:size]), self._kept[size:]
            # This part is admitted; who reads next looks at the clock.
            turn.left = len(part) + READ_COST
            self.data_received(part)
            if turn.is_past(until):
                return

    def _wait(self) -> None:
        if not self._transport.is_closing():
            self._is_waiting = True
            self._transport.pause_reading()
            self._turn.wait(self)

    def _unserved(self, data: bytes) -> None:
        """Take the bytes of a client that is refused or being closed: only its close frame counts."""
        for opcode, _ in self._reader.feed(data):
            if opcode == CLOSE:
                self._end_transport()

    def _answer_close(self, payload: bytes) -> None:
        """Echo the client's close frame (RFC 6455, section 5.5.1) and end the connection."""
        connection = self._connection
        if connection is not None:
            connection.flush()
            # A flush may have dropped a slow connection, which has got its close frame with that.
            if connection.is_open:
                self.write(encode_frame(CLOSE, payload[:2]))
                self._context.node.disconnect(connection)
        self._end_transport()

    def _fail(self, close_code: int, reason: str) -> None:
        """End a connection whose bytes are not WebSocket frames (RFC 6455, section 7.1.7)."""
        connection, context = self._connection, self._context
        if close_code == _TOO_BIG:
            reason = f"{reason}: the limit is {context.max_message_bytes} bytes (websocket_max_payload_kb)"
        if connection is not None:
            connection.totals.errors[connection_errors.FORMAT] += 1
            connection.flush()
            if connection.is_open:
                self.close(close_code, reason)
                context.node.disconnect(connection)
        # No close frame of the peer can be recognised any more, so its end of the stream is what is waited for.
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def _end_transport(self) -> None:
        # What is unsent still goes out, but only while the peer reads.
        self._context.timeouts.begin_closing(self)
        self._transport.close()


def _note(
    node: Node, opening: Opening, refused: CloseConnection, transport: asyncio.Transport, peer: str | None
) -> None:
    refusals = node.refusals
    if refusals.is_told(refused.code):
        if peer is None:
            own = transport.get_extra_info("peername")
            peer = own[0] if isinstance(own, tuple) else None
        refusals.note(
            "connection refused",
            refused.code,
            refused.message,
            app=opening.app.id if isinstance(opening.app, App) else None,
            path=opening.path,
            protocol=opening.protocol,
            origin=opening.origin,
            peer=None if peer is None else plain_address(peer),
            signed_text=b"",
            **opening.ids(),
        )
    else:
        refusals.count(refused.code)
