"""What a fuzzer calls with the bytes of other nodes and of brokers. What must never happen raises."""

from __future__ import annotations

import contextlib
from typing import Any

from sockudo.bus.broker.connection import BadBytesError
from sockudo.bus.broker.pieces import Assembler
from sockudo.bus.kafka.records import build_batch, read_batches
from sockudo.bus.nats.wire import NatsParser
from sockudo.bus.rabbitmq.wire import RabbitParser
from sockudo.bus.workers import wire as workers_wire
from sockudo.cluster.messages import envelope
from sockudo.cluster.messages.topics import EVERYONE, channel_topic, node_topic
from tests.fakes.clock import FakeClock
from tests.fakes.node import APP_ID
from tests.fakes.wire import RecordingWire, text_payloads
from tests.fuzz.inputs import pieces
from tests.servers.cluster import Bus, Member, message

OTHER = "0123456789abcdef"


class FramesOnly(RecordingWire):
    """Takes whole text frames in UTF-8. A node is trusted with the JSON inside: looking at it would cost each event."""

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        assert all(isinstance(payload, str) for payload in text_payloads(data))


def envelopes(data: bytes) -> None:
    """Let a node hear messages on every kind of topic: nothing raises, and its client gets frames only."""
    member = Member(Bus(), clock=FakeClock())
    member.start()
    wire = FramesOnly()
    client = member.connect(wire)
    client.subscribe("presence-x", "1")
    client.subscribe("news")
    client.take()
    topics = (EVERYONE, node_topic(member.node_id), channel_topic(APP_ID, "news"), channel_topic(APP_ID, "presence-x"))
    for part in pieces(data):
        if len(part) < 2:
            continue
        heard = message(part[1], OTHER, part[2:])
        envelope.parse(heard)
        member.hear(topics[part[0] % len(topics)], heard)
        member.clock.advance(0.1)
    member.clock.advance(60)


def broker_pieces(data: bytes) -> None:
    """Let an assembler take labels and pieces: it keeps count of what it holds, and joins whole messages only."""
    assembler = Assembler()
    parts = pieces(data)
    for label, part in zip(parts[::2], parts[1::2], strict=False):
        whole = assembler.add("topic", b"node", label, part)
        assert whole is None or whole.endswith(part)
        assert 0 <= assembler.bytes <= len(data)


def workers(data: bytes) -> None:
    """Read frames of another worker in pieces: they are frames or an error, and cuts make no difference."""
    parts = pieces(data)
    assert _worker_frames(parts) == _worker_frames([b"".join(parts)])


def _worker_frames(parts: list[bytes]) -> tuple[list[Any], bool]:
    reader, frames = workers_wire.Reader(), []
    try:
        for part in parts:
            frames += reader.feed(part)
    except workers_wire.WireError:
        # Frames before the fault of the same read are not handed on.
        return [], True
    for frame in frames:
        with contextlib.suppress(workers_wire.WireError):
            workers_wire.index_of(frame[2])
            workers_wire.number_of(frame[2])
    return frames, False


def kafka_compressed(data: bytes) -> None:
    """Read a batch of Kafka whose records are compressed bytes: they are records or refused, and within the bound."""
    heard: list[bytes] = []
    batch = bytearray(build_batch([(b"t", b"")], 1)[:61]) + data[1:]
    batch[8:12] = (len(batch) - 12).to_bytes(4, "big")
    batch[22] = data[0] & 0x0F if data else 1
    with contextlib.suppress(BadBytesError):
        read_batches(bytes(batch), 0, lambda key, _, value: heard.append(key + value), lambda _: None, 1024)
    assert sum(map(len, heard)) <= max(1024, len(data))


def brokers(data: bytes) -> None:
    """Read bytes of a NATS, RabbitMQ or Kafka broker in pieces: they are parsed or refused."""
    heard: list[Any] = []

    def hear(*what: object) -> None:
        heard.append(what)

    with contextlib.suppress(BadBytesError):
        nats = NatsParser(hear, hear)
        for part in pieces(data):
            nats.feed(part)
    with contextlib.suppress(BadBytesError):
        rabbit = RabbitParser(hear, hear)
        for part in pieces(data):
            rabbit.feed(part)
    with contextlib.suppress(BadBytesError):
        read_batches(b"".join(pieces(data)), 0, hear, hear, 1024)
