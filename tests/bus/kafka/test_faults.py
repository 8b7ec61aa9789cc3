"""The Kafka adapter where brokers die, freeze, refuse and are not what they should be."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockudo.bus.kafka.adapter import KafkaAdapter
from sockudo.config.sections.kafka import KafkaAdapterSettings
from tests.contracts.adapter import joined
from tests.contracts.adapter_faults import (
    SECRET,
    BrokerFaultContract,
    Foreign,
    Unusable,
    start_fails,
)
from tests.fakes.inbox import RecordingInbox
from tests.servers.broker_process import BrokerProcess
from tests.servers.kafka_server import PASSWORD, STRANGER, USER, KafkaServerProcess


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServerProcess]:
    """A broker that the tests of this file kill and freeze."""
    server = KafkaServerProcess(tmp_path_factory.mktemp("mortal-kafka"))
    yield server
    server.stop()


@pytest.fixture
def server(mortal: KafkaServerProcess) -> Iterator[KafkaServerProcess]:
    """The same, running."""
    mortal.ensure()
    yield mortal
    mortal.thaw()


def an_adapter(*brokers: str, **options: Any) -> KafkaAdapter:
    quick = {"request_timeout_ms": 600, "connection_timeout_ms": 2000, "partitions": 2, "prefix": uuid.uuid4().hex}
    known = {"brokers": brokers} if brokers else {}
    return KafkaAdapter(KafkaAdapterSettings.model_construct(**{**known, **quick, **options}))


class TestFaults(BrokerFaultContract):
    setting = "adapter.kafka.brokers"
    is_asked_first = True

    @pytest.fixture
    def server(self, server: KafkaServerProcess) -> BrokerProcess:
        return server

    @pytest.fixture
    def stays(self, kafka_server: KafkaServerProcess) -> BrokerProcess:
        return kafka_server

    def an_adapter(self, *addresses: str, **options: Any) -> KafkaAdapter:
        return an_adapter(*addresses, **options)

    def with_secret(self, address: str) -> KafkaAdapter:
        return an_adapter(address, sasl_username="u", sasl_password=SECRET)

    def address(self, server: BrokerProcess) -> str:
        assert isinstance(server, KafkaServerProcess)
        return server.broker

    @pytest.fixture(
        params=[
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak Kafka: an answer to nothing"),
            (b"\x00\x00\x00\x04\x00\x00\x00\x02", "does not speak Kafka: an answer to nothing"),
            (b"\x00\x00\x00\x03\x00\x00\x00\x01", "does not speak Kafka: an answer to nothing"),
            (b"\x7f\xff\xff\xff\x00\x00\x00\x01", "does not speak Kafka: an answer to nothing"),
            (b"\x00\x00\x00\x06\x00\x00\x00\x01\x00\x00", "does not speak Kafka: an answer that is cut short"),
            (b"\x00\x00\x00\x0c\x00\x00\x00\x01\x00\x00\x00\x00\x7f\xff\xff\xff", "an answer that is cut short"),
        ]
    )
    def foreign(self, request: pytest.FixtureRequest) -> Foreign:
        return Foreign(*request.param)

    @pytest.fixture(
        params=[
            ({"brokers": ()}, "adapter.kafka.brokers: expected at least one broker"),
            ({"brokers": (f"u:{SECRET}@h:1",)}, r"adapter.kafka.brokers\[0\]: expected host:port"),
            ({"brokers": ("h", "h:99999")}, r"adapter.kafka.brokers\[1\]: expected host:port"),
            ({"brokers": ("kafka://h",)}, r"adapter.kafka.brokers\[0\]: expected host:port"),
            ({"prefix": "a:b"}, "adapter.kafka.prefix: expected the name of a topic"),
            ({"prefix": ".."}, "adapter.kafka.prefix: expected the name of a topic"),
            ({"sasl_username": "u"}, "adapter.kafka.sasl_username and sasl_password: expected both"),
            ({"security_protocol": "SASL_SSL"}, "adapter.kafka.sasl_username and sasl_password: expected both"),
            ({"tls_ca": Path("/nowhere")}, "adapter.kafka.tls_ca: /nowhere"),
            ({"tls_key": Path("/nowhere")}, "adapter.kafka.tls_cert: expected the certificate"),
        ]
    )
    def unusable(self, request: pytest.FixtureRequest) -> Unusable:
        return Unusable(*request.param)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_a_wrong_password_is_an_error(kafka_server: KafkaServerProcess, mechanism: str) -> None:
    broker = f"127.0.0.1:{kafka_server.login_port}"
    who = {"sasl_mechanism": mechanism, "sasl_username": USER, "sasl_password": SECRET}
    problem = await start_fails(an_adapter(broker, **who))
    assert problem.startswith(f"adapter.kafka.sasl_username or sasl_password: {broker} refuses: Authentication failed")


async def test_a_login_where_none_is_offered_is_an_error(kafka_server: KafkaServerProcess) -> None:
    problem = await start_fails(an_adapter(kafka_server.broker, sasl_username=USER, sasl_password=SECRET))
    assert problem == f"adapter.kafka.security_protocol: {kafka_server.broker} refuses: ILLEGAL_SASL_STATE"


async def test_no_login_where_one_is_asked_for_is_an_error(kafka_server: KafkaServerProcess) -> None:
    broker = f"127.0.0.1:{kafka_server.login_port}"
    assert await start_fails(an_adapter(broker)) == f"adapter.kafka.brokers: {broker}: closed by the server"


async def test_a_certificate_that_is_not_trusted_is_an_error(kafka_server: KafkaServerProcess) -> None:
    problem = await start_fails(an_adapter(f"127.0.0.1:{kafka_server.tls_port}", security_protocol="SSL"))
    assert problem.startswith("adapter.kafka.brokers: ")
    assert "CERTIFICATE_VERIFY_FAILED" in problem


async def test_a_user_without_rights_to_the_topic_is_an_error(kafka_server: KafkaServerProcess) -> None:
    broker = f"127.0.0.1:{kafka_server.login_port}"
    who = {"prefix": "forbidden", "sasl_username": STRANGER, "sasl_password": PASSWORD}
    problem = await start_fails(an_adapter(broker, **who))
    reason = "topic forbidden: TOPIC_AUTHORIZATION_FAILED"
    assert problem == f"adapter.kafka.prefix: {broker} refuses: {reason}"


async def test_a_topic_that_cannot_be_made_is_an_error(kafka_server: KafkaServerProcess) -> None:
    problem = await start_fails(an_adapter(kafka_server.broker, prefix="copied", replication_factor=3))
    assert problem.startswith(f"adapter.kafka.prefix: {kafka_server.broker} refuses: topic copied cannot be made: ")
    assert "INVALID_REPLICATION_FACTOR" in problem


async def test_the_others_lead_when_a_broker_of_a_cluster_dies(server: KafkaServerProcess, tmp_path: Path) -> None:
    other = KafkaServerProcess(tmp_path / "second-kafka", server)
    other.start()
    prefix = uuid.uuid4().hex
    options = {"prefix": prefix, "partitions": 4, "replication_factor": 2}
    adapter, sender = an_adapter(server.broker, **options), an_adapter(other.broker, server.broker, **options)
    inbox, told = RecordingInbox(), RecordingInbox()
    await adapter.start(inbox)
    await sender.start(told)
    topics = [f"t{number}" for number in range(20)]
    await asyncio.gather(*(joined(adapter, topic) for topic in topics))
    for number in range(5):
        for topic in topics:
            sender.publish(topic, b"%d" % number)
        await asyncio.sleep(0)
    messages = await inbox.wait_for_messages(100)
    for topic in topics:
        assert [data for name, data in messages if name == topic] == [b"0", b"1", b"2", b"3", b"4"]
    leaving = an_adapter(server.broker, **options)
    await leaving.start(RecordingInbox())
    for topic in topics:
        leaving.publish(topic, b"x" * 100_000)
    await leaving.aclose()
    assert {name for name, _ in (await inbox.wait_for_messages(120))[100:]} == set(topics)
    # Both were told where else partitions are, although one was told of one broker only.
    other.kill()
    await inbox.wait_for_restoration()
    await told.wait_for_restoration()
    for topic in topics:
        sender.publish(topic, b"after")
    assert {name for name, data in (await inbox.wait_for_messages(140))[120:]} == set(topics)
    await adapter.aclose()
    await sender.aclose()
    other.stop()
