"""A wire that leads nowhere and remembers what was sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sockudo.hub.broadcast import Encoding

Frame = dict[str, Any]


def text_payloads(data: bytes) -> Iterator[str]:
    """Yield the payload of each of the unmasked text frames (RFC 6455, section 5.2) that `data` is made of."""
    position = 0
    while position < len(data):
        assert data[position] == 0x81, "a whole text frame begins with FIN and opcode 1"
        length, start = data[position + 1], position + 2
        if length >= 126:
            width = 2 if length == 126 else 8
            length, start = int.from_bytes(data[start : start + width]), start + width
        payload = data[start : start + length]
        assert len(payload) == length, "the last frame is cut off"
        yield payload.decode()
        position = start + length


class RecordingWire:
    """A `Wire` for tests.

    Attributes:
        encoding: the form of what is written.
        writes: every call of `write`, as it came.
        closed: code and reason of each call of `close`.
        pings: how often a sign of life was asked for.
        is_paused: nothing is read from the client.
        log: the order of all of it: events, `(close, code)` and `ping`.
    """

    encoding: Encoding | None = None

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed: list[tuple[int, str]] = []
        self.pings = 0
        self.is_paused = False
        self.log: list[object] = []

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        self.log += [json.loads(payload)["event"] for payload in text_payloads(data)]

    def close(self, code: int, reason: str) -> None:
        self.closed.append((code, reason))
        self.log.append(("close", code))

    def ping(self) -> None:
        self.pings += 1
        self.log.append("ping")

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    @property
    def payloads(self) -> list[str]:
        """The JSON of every frame, in order."""
        return [payload for data in self.writes for payload in text_payloads(data)]

    @property
    def frames(self) -> list[Frame]:
        """Every frame, in order."""
        return [json.loads(payload) for payload in self.payloads]

    @property
    def events(self) -> list[str]:
        """The event of every frame, in order."""
        return [frame["event"] for frame in self.frames]

    def take(self) -> list[Frame]:
        """Return the frames since the last call, and forget them."""
        frames = self.frames
        self.writes.clear()
        return frames
