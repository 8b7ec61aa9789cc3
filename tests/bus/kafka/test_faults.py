"""The Kafka adapter where brokers die, freeze, refuse and are not what they should be."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from sockudo.bus.base import Adapter
from sockudo.bus.broker.pieces import LONGEST_MESSAGE
from sockudo.bus.kafka.adapter import KafkaAdapter
from sockudo.config.sections.kafka import KafkaAdapterSettings
from sockudo.errors import DriverError
from tests.contracts.adapter import joined
from tests.contracts.adapter_faults import AdapterFaultContract
from tests.fakes.inbox import RecordingInbox
from tests.servers.broker_process import BrokerProcess
from tests.servers.kafka_server import PASSWORD, STRANGER, USER, KafkaServerProcess
from tests.servers.ports import free_port

SECRET = "hidden-S3cret"


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for a broker that is restarting more often than a node does."""
    monkeypatch.setattr("sockudo.timing.backoff.LONGEST_DELAY", 0.2)


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServerProcess]:
    """A broker that the tests of this file kill and freeze."""
    server = KafkaServerProcess(tmp_path_factory.mktemp("mortal-kafka"))
    yield server
    server.stop()


@pytest.fixture
def server(mortal: KafkaServerProcess) -> Iterator[KafkaServerProcess]:
    """The same, running."""
    if not mortal.is_running:
        mortal.start()
    yield mortal
    mortal.thaw()


def an_adapter(*brokers: str, **options: Any) -> KafkaAdapter:
    quick = {"request_timeout_ms": 600, "connection_timeout_ms": 2000, "partitions": 2, "prefix": uuid.uuid4().hex}
    return KafkaAdapter(KafkaAdapterSettings.model_construct(brokers=brokers, **{**quick, **options}))


class TestFaults(AdapterFaultContract):
    @pytest.fixture
    def server(self, server: KafkaServerProcess) -> BrokerProcess:
        return server

    @pytest.fixture
    def adapters(self, server: KafkaServerProcess) -> list[Adapter]:
        prefix = uuid.uuid4().hex
        return [an_adapter(server.broker, prefix=prefix) for _ in range(2)]


async def start_fails(adapter: KafkaAdapter) -> str:
    with pytest.raises(DriverError) as caught:
        await adapter.start(RecordingInbox())
    assert not adapter.is_connected
    await adapter.aclose()
    assert SECRET not in str(caught.value)
    return str(caught.value)


async def test_a_broker_that_cannot_be_reached_at_start_is_an_error() -> None:
    port = free_port()
    assert f"adapter.kafka.brokers: 127.0.0.1:{port}: " in await start_fails(an_adapter(f"127.0.0.1:{port}"))


async def test_a_broker_that_says_nothing_is_an_error() -> None:
    silent = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    assert "no answer in 0.2 s" in await start_fails(an_adapter(f"127.0.0.1:{port}", connection_timeout_ms=200))
    silent.close()


@pytest.mark.parametrize(
    ("greeting", "problem"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak Kafka: an answer to nothing"),
        (b"\x00\x00\x00\x04\x00\x00\x00\x02", "does not speak Kafka: an answer to nothing"),
        (b"\x00\x00\x00\x03\x00\x00\x00\x01", "does not speak Kafka: an answer to nothing"),
        (b"\x7f\xff\xff\xff\x00\x00\x00\x01", "does not speak Kafka: an answer to nothing"),
        (b"\x00\x00\x00\x06\x00\x00\x00\x01\x00\x00", "does not speak Kafka: an answer that is cut short"),
        (b"\x00\x00\x00\x0c\x00\x00\x00\x01\x00\x00\x00\x00\x7f\xff\xff\xff", "an answer that is cut short"),
    ],
)
async def test_a_server_that_is_not_kafka_is_an_error(greeting: bytes, problem: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(greeting)
        await reader.read()
        writer.close()

    other = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = other.sockets[0].getsockname()[1]
    assert problem in await start_fails(an_adapter(f"127.0.0.1:{port}"))
    other.close()


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


async def test_a_user_who_may_not_use_the_topic_is_an_error(kafka_server: KafkaServerProcess) -> None:
    broker = f"127.0.0.1:{kafka_server.login_port}"
    who = {"prefix": "forbidden", "sasl_username": STRANGER, "sasl_password": PASSWORD}
    problem = await start_fails(an_adapter(broker, **who))
    reason = "topic forbidden: TOPIC_AUTHORIZATION_FAILED"
    assert problem == f"adapter.kafka.prefix: {broker} refuses: {reason}"


async def test_a_topic_that_cannot_be_made_is_an_error(kafka_server: KafkaServerProcess) -> None:
    problem = await start_fails(an_adapter(kafka_server.broker, prefix="copied", replication_factor=3))
    assert problem.startswith(f"adapter.kafka.prefix: {kafka_server.broker} refuses: topic copied cannot be made: ")
    assert "INVALID_REPLICATION_FACTOR" in problem


@pytest.mark.parametrize(
    ("options", "problem"),
    [
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
    ],
)
async def test_settings_that_cannot_be_used_are_an_error(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(DriverError, match=problem) as caught:
        await KafkaAdapter(KafkaAdapterSettings.model_construct(**options)).start(RecordingInbox())
    assert SECRET not in str(caught.value)


async def test_a_broker_that_does_not_keep_up_is_lost(
    server: KafkaServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sockudo.bus.broker.connection.MOST_UNSENT", 100_000)
    adapter, inbox = an_adapter(server.broker, request_timeout_ms=30000), RecordingInbox()
    await adapter.start(inbox)
    server.freeze()
    for _ in range(200):
        adapter.publish("t", b"x" * 100_000)
    await inbox.wait_for_loss()
    assert inbox.losses == ["100000 bytes wait for the server"]
    server.thaw()
    await inbox.wait_for_restoration()
    await adapter.aclose()


async def test_a_message_beyond_all_limits_is_refused_and_logged(kafka_server: KafkaServerProcess) -> None:
    adapter = an_adapter(kafka_server.broker)
    await adapter.start(RecordingInbox())
    with capture_logs() as logs:
        adapter.publish("t", bytes(LONGEST_MESSAGE + 1))
    assert adapter.too_long == 1
    assert logs[0]["limit"] == LONGEST_MESSAGE
    await adapter.aclose()


async def test_closing_while_connecting_again_ends_it(server: KafkaServerProcess) -> None:
    adapter, inbox = an_adapter(server.broker, connection_timeout_ms=30000), RecordingInbox()
    await adapter.start(inbox)
    server.freeze()
    await inbox.wait_for_loss()
    await asyncio.wait_for(adapter.aclose(), 2)


async def test_the_next_broker_is_asked_when_one_is_silent(
    server: KafkaServerProcess, kafka_server: KafkaServerProcess
) -> None:
    server.freeze()
    adapter = an_adapter(server.broker, kafka_server.broker, connection_timeout_ms=500)
    await adapter.start(RecordingInbox())
    assert adapter.is_connected
    await adapter.aclose()


async def test_the_others_lead_when_a_broker_of_a_cluster_dies(server: KafkaServerProcess, tmp_path: Path) -> None:
    other = KafkaServerProcess(tmp_path / "second-kafka", server)
    other.start()
    prefix = uuid.uuid4().hex
    options = {"prefix": prefix, "partitions": 4, "replication_factor": 2}
    adapter, sender = an_adapter(server.broker, **options), an_adapter(other.broker, server.broker, **options)
    inbox, told = RecordingInbox(), RecordingInbox()
    await adapter.start(inbox)
    await sender.start(told)
    assert adapter._link is not None
    assert len(adapter._link._opened) == 2
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
    other.kill()
    await inbox.wait_for_restoration()
    await told.wait_for_restoration()
    for topic in topics:
        sender.publish(topic, b"after")
    assert {name for name, data in (await inbox.wait_for_messages(140))[120:]} == set(topics)
    await adapter.aclose()
    await sender.aclose()
    other.stop()
