"""A transport without a socket: what a protocol does to it is recorded, and a test decides when the peer reads."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.fakes.clock import FakeClock


class FakeTransport(asyncio.Transport):
    """One end of a socket, as strict as asyncio's: writing after `write_eof` is an error.

    The peer takes everything at once until `stall` is called; from then on bytes are kept, and the protocol is paused
    above the limit, until `take` is called. `connection_lost` comes in the next tick of the clock, as in a loop.

    Attributes:
        sent: what the peer has got.
        unsent: what is in the buffer.
        has_eof: the server has said that it sends no more.
        was_aborted: it was dropped without sending the rest.
    """

    def __init__(self, clock: FakeClock, protocol: asyncio.BaseProtocol, peer: Any = ("192.0.2.1", 4711)) -> None:
        super().__init__()
        self._clock = clock
        self._protocol = protocol
        self._peer = peer
        self._high = 64 * 1024
        self._is_stalled = False
        self._is_paused = False
        self._is_lost = False
        self._is_closing = False
        self.sent = bytearray()
        self.unsent = bytearray()
        self.writes = 0
        self._is_reading = True
        self.has_eof = False
        self.was_aborted = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._peer if name == "peername" else default

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def is_closing(self) -> bool:
        return self._is_closing

    @property
    def is_lost(self) -> bool:
        """Whether the protocol has been told that the socket is gone."""
        return self._is_lost

    def is_reading(self) -> bool:
        return self._is_reading

    def pause_reading(self) -> None:
        self._is_reading = False

    def resume_reading(self) -> None:
        self._is_reading = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high is not None
        self._high = high

    def get_write_buffer_size(self) -> int:
        return len(self.unsent)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.has_eof:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._is_lost or self.was_aborted:
            return
        self.writes += 1
        if not self._is_stalled:
            self.sent += data
            return
        self.unsent += data
        if len(self.unsent) > self._high and not self._is_paused:
            self._is_paused = True
            self._any_protocol.pause_writing()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.has_eof = True

    def close(self) -> None:
        self._is_closing = True
        if not self.unsent:
            self._lose(None)

    def abort(self) -> None:
        self._is_closing = self.was_aborted = True
        self.unsent.clear()
        self._lose(None)

    # The peer's side

    def stall(self) -> None:
        """Let the peer stop reading."""
        self._is_stalled = True

    def take(self) -> None:
        """Let the peer read what there is, and go on reading."""
        self._is_stalled = False
        self.sent += self.unsent
        self.unsent.clear()
        if self._is_paused:
            self._is_paused = False
            self._any_protocol.resume_writing()
        if self._is_closing:
            self._lose(None)

    def feed(self, data: bytes) -> None:
        """Let the peer's bytes arrive; a closed socket takes none."""
        assert self._is_reading, "the protocol has asked for no more bytes"
        if not (self._is_lost or self._is_closing):
            self._any_protocol.data_received(data)

    def feed_eof(self) -> None:
        """Let the peer say that it sends no more."""
        if not self._any_protocol.eof_received():
            self.close()

    def reset(self) -> None:
        """Let the peer drop the socket."""
        self._is_closing = True
        self._lose(ConnectionResetError())

    def read(self) -> bytes:
        """Return what the peer has got since the last call."""
        taken = bytes(self.sent)
        self.sent.clear()
        return taken

    @property
    def _any_protocol(self) -> asyncio.Protocol:
        assert isinstance(self._protocol, asyncio.Protocol)
        return self._protocol

    def _lose(self, error: Exception | None) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._clock.call_soon(lambda: self._any_protocol.connection_lost(error))
