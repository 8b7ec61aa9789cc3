"""The asyncio side of a WebSocket: bytes <-> `rfc6455` <-> the node's session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from sockudo.apps.app import App
from sockudo.hub.connection import Connection
from sockudo.node.node import Node, Opening
from sockudo.node.session import Session
from sockudo.pusher.errors import CloseConnection
from sockudo.pusher.events import error
from sockudo.ratelimit.client_address import plain_address
from sockudo.rfc6455.frames import BINARY, CLOSE, PING, PONG, TEXT, FrameReader, close_frame, encode_frame, text_frame
from sockudo.server.timeouts import CLOSE_TIMEOUT, Timeouts

_PING_FRAME: Final = encode_frame(PING)
_TOO_BIG: Final = 1009

# How far one write may go over the limit of unsent bytes and the client still be told; a frame is rarely larger.
_MAX_EXCESS: Final = 64 * 1024

# Bytes of one connection that are carried out before others get their turn: at worst 2700 messages, about 5 ms.
_SLICE: Final = 16 * 1024


@dataclass(slots=True)
class WebSocketContext:
    """What every WebSocket of a server shares.

    Attributes:
        max_message_bytes: of one inbound message.
        max_buffer_bytes: unsent, above which a connection is dropped.
        sockets: those that are open, refused and closing ones included.
        on_idle: called when the last of them is gone.
    """

    node: Node
    session: Session
    timeouts: Timeouts
    max_message_bytes: int
    max_buffer_bytes: int
    sockets: set[WebSocketProtocol] = field(default_factory=set)
    on_idle: Callable[[], None] | None = None

    @property
    def open_count(self) -> int:
        """How many sockets are open."""
        return len(self.sockets)


class WebSocketProtocol(asyncio.Protocol):
    """One upgraded socket; the `Wire` of its connection.

    `write` is the transport's own: a frame passes through nothing of ours on its way out.
    """

    __slots__ = ("_connection", "_context", "_is_held", "_reader", "_rest", "_transport", "deadline", "write")

    def __init__(self, context: WebSocketContext, transport: asyncio.Transport) -> None:
        self._context = context
        self._transport = transport
        self._reader = FrameReader(context.max_message_bytes)
        self._connection: Connection | None = None
        # Both keep the socket from being read: what is left of a large read, and a node that asked for a pause.
        self._rest = b""
        self._is_held = False
        self.write: Callable[[bytes], None] = transport.write
        self.deadline = 0

    def open(self, handshake: bytes, opening: Opening) -> None:
        """Answer the upgrade, then accept the client or tell it why not."""
        context, transport = self._context, self._transport
        context.sockets.add(self)
        transport.set_write_buffer_limits(high=context.max_buffer_bytes)
        transport.set_protocol(self)
        try:
            connection = context.node.connect(opening, self)
        except CloseConnection as refused:
            self.write(handshake + text_frame(error(refused.message, refused.code)))
            self.close(refused.code, refused.message)
            self._note(opening, refused)
        else:
            self._connection = connection
            # One write: the transport makes a system call of each.
            self.write(handshake + context.node.greeting(connection))

    def _note(self, opening: Opening, refused: CloseConnection) -> None:
        refusals = self._context.node.refusals
        if refusals.is_told(refused.code):
            peer = self._transport.get_extra_info("peername")
            refusals.note(
                "connection refused",
                refused.code,
                refused.message,
                app=opening.app.id if isinstance(opening.app, App) else None,
                path=opening.path,
                protocol=opening.protocol,
                origin=opening.origin,
                peer=plain_address(peer[0]) if isinstance(peer, tuple) else None,
            )

    def data_received(self, data: bytes) -> None:
        # hot path
        if len(data) > _SLICE:
            self._receive_in_slices(data)
            return
        connection = self._connection
        if connection is None or not connection.is_open:
            self._await_close(data)
            return
        context = self._context
        connection.last_activity = context.node.keepalive.now
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

    def connection_lost(self, exc: Exception | None) -> None:
        context, connection = self._context, self._connection
        context.timeouts.discard(self)
        self._rest = b""
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
        self._read_on()

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake; the socket goes when the peer answers, or a few seconds later."""
        self.write(close_frame(code, reason))
        self._context.timeouts.schedule(self, CLOSE_TIMEOUT)

    def abort(self) -> None:
        """Drop the socket at once."""
        self._transport.abort()

    def expire(self, now: int) -> None:
        """Drop the socket of a peer that has not answered a close frame."""
        self._transport.abort()

    def _receive_in_slices(self, data: bytes) -> None:
        """Carry out a large read in parts, one a tick; nothing more is read meanwhile."""
        self._rest = data[_SLICE:]
        self._transport.pause_reading()
        self._context.node.clock.call_soon(self._receive_rest)
        self.data_received(data[:_SLICE])

    def _receive_rest(self) -> None:
        part, self._rest = self._rest[:_SLICE], self._rest[_SLICE:]
        if self._rest:
            self._context.node.clock.call_soon(self._receive_rest)
        else:
            self._read_on()
        if part:
            self.data_received(part)

    def _read_on(self) -> None:
        if not (self._is_held or self._rest or self._transport.is_closing()):
            self._transport.resume_reading()

    def _await_close(self, data: bytes) -> None:
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
            connection.flush()
            if connection.is_open:
                self.close(close_code, reason)
                context.node.disconnect(connection)
        # No close frame of the peer can be recognised any more, so its end of the stream is what is waited for.
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def _end_transport(self) -> None:
        # What is unsent still goes out, but only while the peer reads.
        self._context.timeouts.schedule(self, CLOSE_TIMEOUT)
        self._transport.close()
