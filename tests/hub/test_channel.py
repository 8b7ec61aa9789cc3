from __future__ import annotations

import pytest

from sockudo.hub.broadcast import Broadcast, Packed
from sockudo.hub.channel import Channel
from sockudo.hub.connection import Connection
from sockudo.hub.outbox import Flusher
from sockudo.hub.totals import AppTotals
from sockudo.pusher.channels import kind_of
from sockudo.websocket.frames import text_frame
from tests.fakes.clock import FakeClock
from tests.fakes.node import make_app
from tests.fakes.wire import RecordingWire

APP = make_app()
FRAME = text_frame(b'{"event":"a"}')


@pytest.mark.parametrize(
    ("name", "has_members"), [("news", False), ("private-x", False), ("presence-x", True), ("presence-cache-x", True)]
)
def test_only_presence_channels_have_members(name: str, has_members: bool) -> None:
    channel = Channel(name, kind_of(name))
    assert (channel.members is not None) is has_members
    assert (channel.name, channel.kind, channel.subscribers) == (name, kind_of(name), ())


def test_a_broadcast_reaches_every_subscriber_but_the_one_left_out() -> None:
    clock = FakeClock()
    flusher, channel = Flusher(clock.call_soon), Channel("news", kind_of("news"))
    wires = [RecordingWire() for _ in range(3)]
    connections = [Connection(f"1.{i}", APP, wire, flusher, now=0, version=7) for i, wire in enumerate(wires)]
    for connection in connections:
        channel.add(connection)
    channel.broadcast(Broadcast(FRAME))
    channel.broadcast(Broadcast(FRAME), connections[1])
    flusher.wake()
    clock.run_soon()
    assert [len(wire.frames) for wire in wires] == [2, 1, 2]


def test_excluding_a_connection_outside_the_channel_excludes_nobody() -> None:
    clock = FakeClock()
    flusher, channel, wire = Flusher(clock.call_soon), Channel("news", kind_of("news")), RecordingWire()
    subscriber, stranger = (Connection(i, APP, wire, flusher, now=0, version=7) for i in ("1.1", "1.2"))
    channel.add(subscriber)
    channel.broadcast(Broadcast(FRAME), stranger)
    flusher.wake()
    clock.run_soon()
    assert wire.events == ["a"]


class Shouting:
    """Encodings of a test: one that shouts, and one that whispers; each counts what it makes."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.loud, self.low = Packed(self._shout), Packed(self._whisper)

    def _shout(self, frame: bytes) -> bytes:
        self.made.append("loud")
        return text_frame(b'{"event":"A!!!"}')

    def _whisper(self, frame: bytes) -> bytes:
        self.made.append("low")
        return text_frame(b'{"event":"..."}')


def test_each_subscriber_gets_its_encoding_made_once_a_broadcast() -> None:
    clock, shouting, totals = FakeClock(), Shouting(), AppTotals()
    flusher, channel = Flusher(clock.call_soon), Channel("news", kind_of("news"), totals)
    encodings = [None, shouting.loud, shouting.loud, shouting.low, None, shouting.loud]
    wires = [RecordingWire() for _ in encodings]
    connections = []
    for number, (wire, encoding) in enumerate(zip(wires, encodings, strict=True)):
        wire.encoding = encoding
        connections.append(Connection(f"1.{number}", APP, wire, flusher, now=0, version=7))
        channel.add(connections[-1])
    assert channel.count == len(channel.subscribers) == 6
    assert channel.broadcast(Broadcast(FRAME), connections[1]) == 5
    flusher.wake()
    clock.run_soon()
    assert [wire.events for wire in wires] == [["a"], [], ["A!!!"], ["..."], ["a"], ["A!!!"]]
    assert shouting.made == ["loud", "low"]
    assert (totals.messages_sent, totals.bytes_sent) == (5, sum(len(data) for wire in wires for data in wire.writes))


def test_an_encoding_that_nobody_else_has_is_not_made() -> None:
    shouting, channel, wire = Shouting(), Channel("news", kind_of("news")), RecordingWire()
    wire.encoding = shouting.loud
    sender = Connection("1.1", APP, wire, Flusher(FakeClock().call_soon), now=0, version=7)
    channel.add(sender)
    assert channel.broadcast(Broadcast(FRAME), sender) == 0
    channel.remove(sender)
    assert channel.broadcast(Broadcast(FRAME)) == 0
    assert (shouting.made, channel.encoded, channel.count, channel.subscribers) == ([], None, 0, ())
