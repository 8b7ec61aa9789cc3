"""A whole server without sockets: parts put together as in production, a clock that a test moves, fake transports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sockudo.assembly.server import assemble
from sockudo.assembly.stores import stores_from_settings
from tests.clients.client import signature
from tests.clients.frames import CLOSE, TEXT, masked_frame, read_server_frames
from tests.fakes.clock import FakeClock
from tests.fakes.transport import FakeTransport
from tests.servers.server import KEY, settings

UPGRADE = (
    b"GET /app/%b HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def upgrade(key: str = KEY) -> bytes:
    """Return an opening handshake."""
    return UPGRADE % key.encode()


class Stack:
    """A server that is not listening.

    Args:
        stores: what takes the place of some of the stores that the settings ask for, by name.
        clock: one that stands still by default.
    """

    def __init__(
        self,
        *apps: Mapping[str, Any],
        stores: Mapping[str, Any] | None = None,
        clock: FakeClock | None = None,
        **changes: Any,
    ) -> None:
        self.clock = clock or FakeClock()
        chosen = settings(*apps, **changes)
        made = replace(stores_from_settings(chosen, self.clock), **(stores or {}))
        self.assembly = assemble(chosen, self.clock, stores=made)
        self.front, self.node = self.assembly.front, self.assembly.node
        self.front.timeouts.start()
        self.node.keepalive.start()

    def socket(self) -> FakeTransport:
        """Accept a socket."""
        protocol = self.front.protocol()
        transport = FakeTransport(self.clock, protocol)
        protocol.connection_made(transport)
        return transport

    def connect(self, key: str = KEY, *, behind: bytes = b"") -> StackClient:
        """Open a WebSocket; `behind` comes in the same segment as the handshake."""
        return StackClient(self, self.socket(), key, behind)


class StackClient:
    """The client's end of a WebSocket.

    Attributes:
        transport: the server's end.
        socket_id: empty where the server has refused the client.
    """

    def __init__(self, stack: Stack, transport: FakeTransport, key: str, behind: bytes) -> None:
        self._stack = stack
        self._key = key
        self._rest = b""
        self.transport = transport
        transport.feed(upgrade(key) + behind)
        head, found, rest = transport.read().partition(b"\r\n\r\n")
        assert found, head
        assert head.startswith(b"HTTP/1.1 101"), head
        transport.sent += rest
        self.socket_id = ""
        if rest:
            self.frames_before = self.events()
            first = self.frames_before.pop(0)
            if first["event"] == "pusher:connection_established":
                self.socket_id = json.loads(first["data"])["socket_id"]
            else:
                self.frames_before.insert(0, first)

    def feed(self, data: bytes) -> None:
        """Send bytes; the server's tick ends after them."""
        self.transport.feed(data)
        self._stack.clock.run_soon()

    def send(self, frame: Mapping[str, Any]) -> None:
        """Send a frame of JSON."""
        self.feed(masked_frame(TEXT, json.dumps(frame).encode()))

    def frames(self) -> list[tuple[int, bytes]]:
        """Return every frame that has come since the last call."""
        frames, self._rest = read_server_frames(self._rest + self.transport.read())
        return frames

    def events(self) -> list[dict[str, Any]]:
        """Return every frame since the last call as JSON; a close frame becomes `{"close": code, "reason": text}`."""
        events: list[dict[str, Any]] = []
        for opcode, payload in self.frames():
            if opcode == CLOSE:
                events.append({"close": int.from_bytes(payload[:2], "big"), "reason": payload[2:].decode()})
            else:
                assert opcode == TEXT, opcode
                events.append(json.loads(payload))
        return events

    def subscribe(self, channel: str, channel_data: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Ask for a channel, signed where it must be, and return what came since."""
        data = {"channel": channel}
        if channel.startswith(("private-", "presence-")):
            text = f"{self.socket_id}:{channel}"
            if channel_data is not None:
                data["channel_data"] = json.dumps(channel_data)
                text += ":" + data["channel_data"]
            data["auth"] = f"{self._key}:{signature(text)}"
        self.send({"event": "pusher:subscribe", "data": data})
        return self.events()
