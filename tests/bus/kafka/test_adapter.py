"""The Kafka adapter against a real broker."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from sockudo.bus.base import Adapter
from sockudo.bus.kafka.adapter import KafkaAdapter
from sockudo.bus.kafka.options import parse_brokers, show
from sockudo.bus.kafka.records import labelled
from sockudo.config.sections.kafka import KafkaAdapterSettings
from tests.contracts.adapter import ODD_TOPIC, AdapterContract, joined
from tests.contracts.adapter_nodes import check_that_two_servers_are_one
from tests.fakes.inbox import RecordingInbox
from tests.servers.kafka_server import PASSWORD, USER, KafkaServerProcess

Node = tuple[KafkaAdapter, RecordingInbox]


def on_a_bus_of_their_own(count: int, **options: Any) -> list[Adapter]:
    """Make adapters that share a topic of Kafka with nobody else."""
    prefix = uuid.uuid4().hex
    return [
        KafkaAdapter(KafkaAdapterSettings.model_construct(prefix=prefix, **{"partitions": 3, **options}))
        for _ in range(count)
    ]


class TestPlain(AdapterContract):
    @pytest.fixture
    def adapters(self, kafka_server: KafkaServerProcess) -> list[Adapter]:
        return on_a_bus_of_their_own(3, brokers=(kafka_server.broker,))


class TestShortBatches(AdapterContract):
    """With TLS and a login; and the contract's long messages go in pieces, its many ones in several requests."""

    @pytest.fixture
    def adapters(self, kafka_server: KafkaServerProcess) -> list[Adapter]:
        return on_a_bus_of_their_own(
            3,
            brokers=(f"127.0.0.1:{kafka_server.tls_login_port}",),
            security_protocol="SASL_SSL",
            sasl_mechanism="SCRAM-SHA-512",
            sasl_username=USER,
            sasl_password=PASSWORD,
            tls_ca=kafka_server.certificate.cert,
            max_batch_kb=16,
        )

    async def test_long_messages_keep_their_order_among_short_ones(
        self, nodes: list[tuple[Adapter, RecordingInbox]]
    ) -> None:
        (first, _), (second, heard), (third, _) = nodes
        await joined(second, "t")
        for number in range(30):
            for name, adapter in ((b"a", first), (b"b", third)):
                adapter.publish("t", name * 25_000 + b"%d" % number)
                adapter.publish("t", name + b"%d" % number)
            await asyncio.sleep(0)
        messages = [data for _, data in await heard.wait_for_messages(120)]
        for name in (b"a", b"b"):
            expected = [size * name + b"%d" % number for number in range(30) for size in (25_000, 1)]
            assert [data for data in messages if data[:1] == name] == expected


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
async def test_a_login_without_tls_is_asked_for_by_a_user(kafka_server: KafkaServerProcess, mechanism: str) -> None:
    who = {"sasl_mechanism": mechanism, "sasl_username": USER, "sasl_password": PASSWORD}
    await exchange(*on_a_bus_of_their_own(2, brokers=(f"127.0.0.1:{kafka_server.login_port}",), **who))


async def test_tls_takes_our_own_certificate_from_its_files(kafka_server: KafkaServerProcess) -> None:
    own = kafka_server.certificate
    files = {"tls_ca": own.cert, "tls_cert": own.cert, "tls_key": own.key}
    await exchange(*on_a_bus_of_their_own(2, brokers=(f"127.0.0.1:{kafka_server.tls_port}",), **files))


async def exchange(first: Adapter, second: Adapter) -> None:
    """Send one message from one node to another."""
    heard = RecordingInbox()
    await first.start(RecordingInbox())
    await second.start(heard)
    await joined(second, "t")
    first.publish("t", b"1")
    assert await heard.wait_for_messages(1) == [("t", b"1")]
    await first.aclose()
    await second.aclose()


@pytest.fixture
async def admin(kafka_server: KafkaServerProcess) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=kafka_server.broker)
    await client.start()
    yield client
    await client.close()


@pytest.fixture
async def pair(kafka_server: KafkaServerProcess) -> AsyncIterator[list[Node]]:
    """Two started adapters on a topic of their own; the second has joined "t"."""
    prefix = uuid.uuid4().hex
    options = KafkaAdapterSettings.model_construct(
        brokers=(kafka_server.broker,), prefix=prefix, partitions=2, request_timeout_ms=600
    )
    nodes = [(KafkaAdapter(options), RecordingInbox()) for _ in range(2)]
    for adapter, inbox in nodes:
        await adapter.start(inbox)
    await joined(nodes[1][0], "t")
    yield nodes
    for adapter, _ in nodes:
        await adapter.aclose()


async def test_the_topic_is_made_as_the_settings_say(
    kafka_server: KafkaServerProcess, admin: AIOKafkaAdminClient
) -> None:
    options = KafkaAdapterSettings.model_construct(
        brokers=(kafka_server.broker,), prefix="made", partitions=5, replication_factor=1, retention_ms=120_000
    )
    adapter = KafkaAdapter(options)
    await adapter.start(RecordingInbox())
    (found,) = await admin.describe_topics(["made"])
    assert [len(part["replicas"]) for part in found["partitions"]] == [1] * 5
    (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, "made")])
    settings = {entry[0]: entry[1] for entry in answer.resources[0][4]}
    kept = {name: settings[name] for name in ("cleanup.policy", "retention.ms", "message.timestamp.type")}
    assert kept == {"cleanup.policy": "delete", "retention.ms": "120000", "message.timestamp.type": "LogAppendTime"}
    await adapter.aclose()


async def test_a_topic_that_is_there_is_used_as_it_is(
    kafka_server: KafkaServerProcess, admin: AIOKafkaAdminClient
) -> None:
    await admin.create_topics([NewTopic("there", 1, 1)])
    first, second = (
        KafkaAdapter(KafkaAdapterSettings.model_construct(brokers=(kafka_server.broker,), prefix="there"))
        for _ in range(2)
    )
    await exchange(first, second)
    (found,) = await admin.describe_topics(["there"])
    assert len(found["partitions"]) == 1


async def test_another_client_reads_what_is_published_and_is_heard(
    kafka_server: KafkaServerProcess, pair: list[Node]
) -> None:
    (first, _), (second, heard) = pair
    await joined(second, ODD_TOPIC)
    judge = AIOKafkaConsumer(
        first._options.prefix, bootstrap_servers=kafka_server.broker, auto_offset_reset="earliest", group_id=None
    )
    await judge.start()
    first.publish(ODD_TOPIC, b"\x00\r\n")
    while not (record := await judge.getone()).key:
        pass
    assert (record.key, record.value) == (ODD_TOPIC.encode(), labelled(first._labels.own, b"\x00\r\n"))
    await judge.stop()
    await heard.wait_for_messages(1)
    publisher = AIOKafkaProducer(bootstrap_servers=kafka_server.broker, compression_type="gzip")
    await publisher.start()
    topic, where = first._options.prefix, record.partition
    for key, value in ((b"t", None), (None, b"x"), (b"t", b""), (b"t", b"\x00known to nobody")):
        await publisher.send_and_wait(topic, value, key, partition=where, headers=[("a", b"b")])
    await publisher.stop()
    assert (await heard.wait_for_messages(3))[1:] == [("t", b""), ("t", b"known to nobody")]


async def test_messages_published_before_a_topic_was_joined_are_not_heard(pair: list[Node]) -> None:
    (first, _), (second, heard) = pair
    for number in range(20):
        first.publish("late", b"before")
        confirmed = first.subscribe(f"any{number}")
        assert confirmed is not None
        # Answered after the message is in the log.
        await confirmed
        await joined(second, "late")
        count = len(heard.messages)
        first.publish("late", b"after")
        assert (await heard.wait_for_messages(count + 1))[count:] == [("late", b"after")]
        second.unsubscribe("late")


async def test_a_tick_leaves_in_one_write(pair: list[Node]) -> None:
    (first, _), (_, heard) = pair
    assert first._link is not None
    connection = first._link._leaders[0]._publisher
    assert connection is not None
    transport, writes = connection._transport, list[bytes]()
    assert transport is not None

    def write(data: bytes) -> None:
        writes.append(data)
        transport.write(data)

    connection._transport = type("Recorder", (), {"write": staticmethod(write)})()
    confirmed = [first.subscribe(f"j{number}") for number in range(3)]
    for number in range(10):
        first.publish("t", b"%d" % number)
        first.publish(f"other{number}", b"x")
    await asyncio.gather(*(future for future in confirmed if future is not None))
    connection._transport = transport
    assert len(writes) == 1
    assert writes[0].count(b"\x00\x07sockudo") == 2
    assert [data for _, data in await heard.wait_for_messages(10)] == [b"%d" % number for number in range(10)]


async def test_messages_of_former_connections_are_not_heard_after_newer_ones(pair: list[Node]) -> None:
    """As a broker appends it that was frozen and goes on with what it had read before."""
    (first, _), (_, heard) = pair
    assert first._link is not None
    for label, data in ((b"n.1", b"1"), (b"n.2", b"2"), (b"n.1", b"old"), (b"n.1.5.0.1", b"old piece"), (b"n.2", b"3")):
        first._link.publish(b"t", label, data)
    assert [data for _, data in await heard.wait_for_messages(3)] == [b"1", b"2", b"3"]


async def test_more_partitions_are_noticed(admin: AIOKafkaAdminClient, pair: list[Node]) -> None:
    """Else a node that started later would publish where nobody listens."""
    (first, told), (_, heard) = pair
    await admin.create_partitions({first._options.prefix: NewPartitions(7)})
    await told.wait_for_restoration()
    await heard.wait_for_restoration()
    assert told.losses == heard.losses == ["the partitions of the topic changed"]
    assert first._link is not None
    assert len(first._link._leaders) == 7
    first.publish("t", b"1")
    assert await heard.wait_for_messages(1) == [("t", b"1")]


async def test_a_topic_that_is_deleted_is_made_again(admin: AIOKafkaAdminClient, pair: list[Node]) -> None:
    (first, told), (_, heard) = pair
    await admin.delete_topics([first._options.prefix])
    await told.wait_for_restoration()
    await heard.wait_for_restoration()
    first.publish("t", b"1")
    assert await heard.wait_for_messages(1) == [("t", b"1")]


async def test_messages_that_a_broker_finds_too_long_are_counted(admin: AIOKafkaAdminClient, pair: list[Node]) -> None:
    (first, _), (_, heard) = pair
    limit = ConfigResource(ConfigResourceType.TOPIC, first._options.prefix, {"max.message.bytes": "20000"})
    await admin.alter_configs([limit])
    while not first.refusals:
        first.publish("t", b"x" * 50_000)
        await joined(first, uuid.uuid4().hex)
    first.publish("t", b"short")
    while heard.messages[-1:] != [("t", b"short")]:
        await heard.wait_for_messages(len(heard.messages) + 1)
    assert heard.losses == []


async def test_two_servers_are_one(kafka_server: KafkaServerProcess) -> None:
    await check_that_two_servers_are_one(on_a_bus_of_their_own(3, brokers=(kafka_server.broker,)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("h", ("h", 9092)), (" h:1 ", ("h", 1)), ("[::1]:2", ("::1", 2)), ("10.0.0.1:3", ("10.0.0.1", 3))],
)
def test_an_address_says_where(text: str, expected: tuple[str, int]) -> None:
    (address,) = parse_brokers(KafkaAdapterSettings.model_construct(brokers=(text,)))
    assert address == expected
    assert show(address) == (text.strip() if ":" in text else "h:9092")


def test_options_do_not_show_secrets() -> None:
    assert "hidden" not in repr(KafkaAdapterSettings.model_construct(sasl_username="u", sasl_password="hidden"))
