"""What brokers have taken of what a node published, and answers that wait for it, against a real broker."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from sockudo.bus.kafka.adapter import KafkaAdapter, record_key
from sockudo.bus.kafka.receipts import Receipts
from sockudo.config.sections.kafka import KafkaAdapterSettings
from tests.clients.client import ApiClient, PusherClient
from tests.contracts.adapter import joined
from tests.fakes.inbox import RecordingInbox
from tests.servers.kafka_server import KafkaServerProcess
from tests.servers.server import RunningServer, running_server
from tests.support.waiting import eventually

ROUNDS = 100


def adapters(server: KafkaServerProcess, count: int, **options: Any) -> list[KafkaAdapter]:
    """Make adapters that share a topic of Kafka with nobody else."""
    prefix = uuid.uuid4().hex
    settings = KafkaAdapterSettings.model_construct(brokers=(server.broker,), prefix=prefix, **options)
    return [KafkaAdapter(settings) for _ in range(count)]


@pytest.fixture
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServerProcess]:
    """A broker that a test may freeze."""
    server = KafkaServerProcess(tmp_path_factory.mktemp("mortal-kafka"))
    server.start()
    yield server
    server.stop()


@asynccontextmanager
async def busy(adapter: KafkaAdapter) -> AsyncIterator[None]:
    """Let a node publish all the time, so that its broker has requests of it to handle one after another."""

    async def publish() -> None:
        while True:
            adapter.publish(uuid.uuid4().hex, b"x" * 200)
            await asyncio.sleep(0.002)

    publishing = asyncio.create_task(publish())
    yield
    publishing.cancel()
    await asyncio.wait([publishing])


async def is_alone(server: RunningServer) -> bool:
    """Tell whether a server knows of no other."""
    return server.assembly.node.peers.is_alone


def leader_of(adapter: KafkaAdapter, topic: str) -> int:
    """Return the port of the broker that leads the partition of a topic."""
    link = adapter._link
    assert link is not None
    assert link._layout is not None
    node = link._layout.leaders[crc32(record_key(topic)) % len(link._leaders)]
    return link._layout.brokers[node][1]


async def until(happens: Callable[[Callable[[], None]], None]) -> None:
    """Wait until something calls back."""
    called = asyncio.Event()
    happens(called.set)
    await asyncio.wait_for(called.wait(), 10)


async def test_a_client_that_joins_after_the_answer_misses_the_event(kafka_server: KafkaServerProcess) -> None:
    first, second = adapters(kafka_server, 2)
    async with (
        running_server(adapter=first) as one,
        running_server(adapter=second) as other,
        PusherClient(other.port) as witness,
        PusherClient(other.port) as newcomer,
        busy(first),
    ):
        await eventually(lambda: is_alone(one), False)
        api = ApiClient(one.port)
        await witness.subscribe("news")
        for number in range(ROUNDS):
            assert (await api.trigger("news", str(number))).status == 200
            await newcomer.subscribe("news")
            assert (await witness.expect("event"))["data"] == str(number)
            await newcomer.expect_nothing()
            await newcomer.unsubscribe("news")


async def test_a_topic_joined_after_messages_is_heard_without_them(kafka_server: KafkaServerProcess) -> None:
    first, second = adapters(kafka_server, 2)
    heard = RecordingInbox()
    await first.start(RecordingInbox())
    await second.start(heard)
    async with busy(first):
        for number in range(ROUNDS):
            topic = f"t{number}"
            first.publish(topic, b"before")
            await until(first.after_taken)
            await joined(second, topic)
            count = len(heard.messages)
            first.publish(topic, b"after")
            assert (await heard.wait_for_messages(count + 1))[count:] == [(topic, b"after")]
    await first.aclose()
    await second.aclose()


async def test_a_topic_joined_before_replication_is_heard_without_the_message(
    mortal: KafkaServerProcess, tmp_path: Path
) -> None:
    other = KafkaServerProcess(tmp_path / "second-kafka", mortal)
    other.start()
    first, second = adapters(mortal, 2, partitions=4, replication_factor=2, connection_timeout_ms=30_000)
    heard = RecordingInbox()
    await first.start(RecordingInbox())
    await second.start(heard)
    topic = next(topic for topic in map(str, range(1000)) if leader_of(first, topic) == mortal.port)
    # The leader waits for it a moment before it goes on with one replica less.
    other.freeze()
    first.publish(topic, b"before")
    await until(first.after_taken)
    await joined(second, topic)
    other.thaw()
    while (topic, b"after") not in heard.messages:
        first.publish(topic, b"after")
        await asyncio.sleep(0.05)
    assert (topic, b"before") not in heard.messages
    await first.aclose()
    await second.aclose()
    other.stop()


async def test_nothing_published_is_waited_for_by_nobody(kafka_server: KafkaServerProcess) -> None:
    (adapter,) = adapters(kafka_server, 1)
    await until(adapter.after_taken)
    await adapter.start(RecordingInbox())
    await until(adapter.after_taken)
    assert adapter._link is not None
    assert adapter._link.taken() is None
    await adapter.aclose()


async def test_a_broker_that_hangs_delays_answers_once(
    mortal: KafkaServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sockudo.bus.kafka.receipts.MOST_UNTAKEN", 0.1)
    (adapter,) = adapters(mortal, 1, request_timeout_ms=60_000)
    await adapter.start(RecordingInbox())
    mortal.freeze()
    adapter.publish("t", b"1")
    await until(adapter.after_taken)
    adapter.publish("t", b"2")
    await asyncio.sleep(0)
    assert adapter._link is not None
    assert adapter._link.taken() is None
    mortal.thaw()
    while adapter._link.taken() is None:
        adapter.publish("t", b"3")
        await asyncio.sleep(0.01)
    await until(adapter.after_taken)
    await adapter.aclose()


async def test_a_lost_broker_lets_answers_go(mortal: KafkaServerProcess) -> None:
    (adapter,) = adapters(mortal, 1)
    inbox = RecordingInbox()
    await adapter.start(inbox)
    mortal.freeze()
    adapter.publish("t", b"1")
    waiting = asyncio.create_task(until(adapter.after_taken))
    await asyncio.sleep(0)
    mortal.kill()
    await waiting
    await adapter.aclose()


async def test_each_waits_for_no_more_than_what_was_sent_before() -> None:
    receipts = Receipts()
    assert receipts.taken() is None
    receipts.sent()
    first = receipts.taken()
    assert first is receipts.taken()
    receipts.sent()
    second = receipts.taken()
    assert first is not None
    assert second is not None
    receipts.answered()
    assert (first.done(), second.done()) == (True, False)
    receipts.answered()
    assert second.done()
    assert receipts.taken() is None
