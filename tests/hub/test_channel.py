from __future__ import annotations

import pytest

from sockudo.hub.channel import Channel
from sockudo.hub.connection import Connection
from sockudo.hub.outbox import Flusher
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
    assert (channel.name, channel.kind, channel.subscribers) == (name, kind_of(name), {})


def test_a_broadcast_reaches_every_subscriber_but_the_one_left_out() -> None:
    clock = FakeClock()
    flusher, channel = Flusher(clock.call_soon), Channel("news", kind_of("news"))
    wires = [RecordingWire() for _ in range(3)]
    connections = [Connection(f"1.{i}", APP, wire, flusher, now=0, version=7) for i, wire in enumerate(wires)]
    channel.subscribers = dict.fromkeys(connections)
    channel.broadcast(FRAME)
    channel.broadcast(FRAME, connections[1])
    flusher.wake()
    clock.run_soon()
    assert [len(wire.frames) for wire in wires] == [2, 1, 2]


def test_excluding_a_connection_outside_the_channel_excludes_nobody() -> None:
    clock = FakeClock()
    flusher, channel, wire = Flusher(clock.call_soon), Channel("news", kind_of("news")), RecordingWire()
    subscriber, stranger = (Connection(i, APP, wire, flusher, now=0, version=7) for i in ("1.1", "1.2"))
    channel.subscribers[subscriber] = None
    channel.broadcast(FRAME, stranger)
    flusher.wake()
    clock.run_soon()
    assert wire.events == ["a"]
