"""The RabbitMQ adapter where servers die, freeze, refuse, run short and are not what they should be."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from sockudo.bus.base import Adapter
from sockudo.bus.broker.pieces import LONGEST_MESSAGE
from sockudo.bus.rabbitmq.adapter import RabbitAdapter
from sockudo.config.sections.rabbitmq import RabbitAdapterSettings
from sockudo.errors import DriverError
from tests.contracts.adapter import joined
from tests.contracts.adapter_faults import AdapterFaultContract
from tests.fakes.inbox import RecordingInbox
from tests.servers.broker_process import BrokerProcess
from tests.servers.ports import free_port
from tests.servers.rabbitmq_server import RabbitServerProcess

SECRET = "hidden-S3cret"


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for a server that is restarting more often than a node does."""
    monkeypatch.setattr("sockudo.timing.backoff.LONGEST_DELAY", 0.2)


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServerProcess]:
    """A server that the tests of this file kill and freeze; starting one takes seconds."""
    server = RabbitServerProcess(tmp_path_factory.mktemp("mortal-rabbitmq"))
    yield server
    server.stop()


@pytest.fixture
def server(mortal: RabbitServerProcess) -> Iterator[RabbitServerProcess]:
    """The same, running."""
    if not mortal.is_running:
        mortal.start()
    yield mortal
    mortal.thaw()


def an_adapter(url: str, **options: Any) -> RabbitAdapter:
    # A second is the shortest heartbeat of AMQP, and a busy machine may be late with one.
    return RabbitAdapter(
        RabbitAdapterSettings.model_construct(
            url=url, **{"request_timeout_ms": 1500, "connection_timeout_ms": 1500, **options}
        )
    )


async def test_the_next_server_is_used_when_one_is_silent(
    server: RabbitServerProcess, rabbitmq_server: RabbitServerProcess
) -> None:
    adapter, inbox = (
        an_adapter(f"{server.url}, {rabbitmq_server.url}", prefix="failover", connection_timeout_ms=1000),
        RecordingInbox(),
    )
    other = an_adapter(rabbitmq_server.url, prefix="failover")
    await adapter.start(inbox)
    await other.start(RecordingInbox())
    await joined(adapter, "t")
    server.freeze()
    await inbox.wait_for_restoration()
    other.publish("t", b"1")
    assert await inbox.wait_for_messages(1) == [("t", b"1")]
    await adapter.aclose()
    await other.aclose()


async def test_a_server_that_does_not_keep_up_is_lost(
    server: RabbitServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sockudo.bus.broker.connection.MOST_UNSENT", 100_000)
    adapter, inbox = an_adapter(server.url, request_timeout_ms=30000), RecordingInbox()
    await adapter.start(inbox)
    server.freeze()
    for _ in range(200):
        adapter.publish("t", b"x" * 100_000)
    await inbox.wait_for_loss()
    assert inbox.losses == ["100000 bytes wait for the server"]
    server.thaw()
    await inbox.wait_for_restoration()
    await adapter.aclose()


async def test_closing_while_connecting_again_ends_it(server: RabbitServerProcess) -> None:
    adapter, inbox = an_adapter(server.url, connection_timeout_ms=30000), RecordingInbox()
    await adapter.start(inbox)
    server.freeze()
    await inbox.wait_for_loss()
    await asyncio.wait_for(adapter.aclose(), 2)


class TestFaults(AdapterFaultContract):
    @pytest.fixture
    def server(self, server: RabbitServerProcess) -> BrokerProcess:
        return server

    @pytest.fixture
    def adapters(self, server: RabbitServerProcess) -> list[Adapter]:
        prefix = uuid.uuid4().hex
        return [an_adapter(server.url, prefix=prefix) for _ in range(2)]


async def start_fails(adapter: RabbitAdapter) -> str:
    with pytest.raises(DriverError) as caught:
        await adapter.start(RecordingInbox())
    assert not adapter.is_connected
    await adapter.aclose()
    assert SECRET not in str(caught.value)
    return str(caught.value)


async def test_a_server_that_cannot_be_reached_at_start_is_an_error() -> None:
    port = free_port()
    problem = await start_fails(an_adapter(f"amqp://u:{SECRET}@127.0.0.1:{port}"))
    assert f"adapter.rabbitmq.url: amqp://127.0.0.1:{port}: " in problem


async def test_a_server_that_says_nothing_is_an_error() -> None:
    silent = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    assert "no answer in 0.2 s" in await start_fails(an_adapter(f"amqp://127.0.0.1:{port}", connection_timeout_ms=200))
    silent.close()


@pytest.mark.parametrize(
    ("greeting", "problem"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak AMQP"),
        (b"AMQP\x00\x01\x00\x00", "does not speak AMQP"),
        (b"\x01\x00\x00\x00\x00\x00\x04\xff\xff\xff\xff\xce", "does not speak AMQP: a method that cannot be read"),
        (b"\x01\x00\x00\x00\x00\x00\x05\x00\x0a\x00\x0a\x00\xce", "does not speak AMQP: a method that cannot be read"),
        (b"\x01\x00\x00\x00\x00\x00\x01\x00\x00", "a frame that is longer than announced"),
        (b"\x02\x00\x01\x00\x00\x00\x00\xce", "a header without a message"),
        (b"\x03\x00\x01\x00\x00\x00\x01x\xce", "a body without a message"),
        (b"\x01\x00\x01\x00\x00\x00\x06\x00\x3c\x00\x3c\x01m\xce", "a delivery that is cut short"),
        (b"\x01\x00\x01\x7f\xff\xff\xff", "a frame that is too long"),
    ],
)
async def test_a_server_that_is_not_rabbitmq_is_an_error(greeting: bytes, problem: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await reader.read()
        writer.close()

    other = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = other.sockets[0].getsockname()[1]
    assert problem in await start_fails(an_adapter(f"amqp://127.0.0.1:{port}"))
    other.close()


@pytest.mark.parametrize(
    ("user", "rest", "options", "reason"),
    [
        (f"guest:{SECRET}", "", {}, "ACCESS_REFUSED - Login was refused"),
        ("guest:guest", "/nowhere", {}, "NOT_ALLOWED - vhost nowhere not found"),
        ("bus", "", {"prefix": "other"}, "ACCESS_REFUSED - access to exchange 'other' in vhost '/a vhost' refused"),
        ("reader", "", {}, "ACCESS_REFUSED - access to exchange 'sockudo_adapter' in vhost '/a vhost' refused"),
    ],
)
async def test_what_a_user_may_not_do_is_an_error(
    rabbitmq_server: RabbitServerProcess, user: str, rest: str, options: dict[str, Any], reason: str
) -> None:
    address = rabbitmq_server.url
    url = address.replace("//", f"//{user}@") + rest if ":" in user else rabbitmq_server.url_of(user)
    problem = await start_fails(an_adapter(url, **options))
    assert problem.startswith(f"adapter.rabbitmq.url: {address} refuses: {reason}")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"url": ""}, "adapter.rabbitmq.url: expected amqp://"),
        ({"url": f"http://u:{SECRET}@h"}, "adapter.rabbitmq.url: expected amqp://"),
        ({"url": f"amqp://h,amqp://{SECRET}@h:99999"}, "adapter.rabbitmq.url: expected amqp://"),
        ({"url": f"amqp://u:{SECRET}@h/a/b"}, "adapter.rabbitmq.url: expected amqp://"),
        ({"prefix": "a b"}, "adapter.rabbitmq.prefix: expected at most 100 letters"),
        ({"prefix": "a" * 101}, "adapter.rabbitmq.prefix: expected at most 100 letters"),
        ({"url": "amqps://h", "tls_ca": Path("/nowhere")}, "adapter.rabbitmq.tls_ca: /nowhere"),
        ({"url": "amqps://h", "tls_key": Path("/nowhere")}, "adapter.rabbitmq.tls_cert: expected the certificate"),
        ({"url": "amqp://h", "tls_ca": Path("/nowhere")}, "adapter.rabbitmq.url: expected amqps:// with"),
    ],
)
async def test_settings_that_cannot_be_used_are_an_error(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(DriverError, match=problem) as caught:
        await RabbitAdapter(RabbitAdapterSettings.model_construct(**options)).start(RecordingInbox())
    assert SECRET not in str(caught.value)


async def test_an_exchange_of_another_kind_is_an_error(rabbitmq_server: RabbitServerProcess) -> None:
    problem = await start_fails(an_adapter(rabbitmq_server.url, prefix="amq.fanout"))
    assert "PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'amq.fanout'" in problem


@pytest.fixture
async def pair(rabbitmq_server: RabbitServerProcess) -> AsyncIterator[list[tuple[Adapter, RecordingInbox]]]:
    """Two adapters on the server that stays; the second has joined "t" and may leave little in its queue."""
    prefix = uuid.uuid4().hex
    nodes: list[tuple[Adapter, RecordingInbox]] = [
        (an_adapter(rabbitmq_server.url, prefix=prefix), RecordingInbox()),
        (an_adapter(rabbitmq_server.url, prefix=prefix, max_queue_mb=1), RecordingInbox()),
    ]
    for adapter, inbox in nodes:
        await adapter.start(inbox)
    await joined(nodes[1][0], "t")
    yield nodes
    for adapter, _ in nodes:
        await adapter.aclose()


async def test_a_server_that_takes_no_messages_is_lost_until_it_does(
    rabbitmq_server: RabbitServerProcess, pair: list[tuple[Adapter, RecordingInbox]]
) -> None:
    (first, told), (_, heard) = pair
    await asyncio.to_thread(rabbitmq_server.control, "set_disk_free_limit", "900000000000000")
    first.publish("t", b"blocked")
    await told.wait_for_loss()
    assert told.losses == ["takes no messages: low on disk"]
    assert not first.is_connected
    first.publish("t", b"dropped")
    with pytest.raises(DriverError, match="refuses: takes no messages: low on disk"):
        await an_adapter(rabbitmq_server.url).start(RecordingInbox())
    await asyncio.to_thread(rabbitmq_server.control, "set_disk_free_limit", "50MB")
    await told.wait_for_restoration()
    first.publish("t", b"fresh")
    assert await heard.wait_for_messages(1) == [("t", b"fresh")]
    assert heard.losses == []


async def test_a_node_that_does_not_keep_up_is_lost_and_told(pair: list[tuple[Adapter, RecordingInbox]]) -> None:
    (first, _), (second, heard) = pair
    assert isinstance(second, RabbitAdapter)
    assert second._link is not None
    assert second._link._subscriber is not None
    transport = second._link._subscriber._transport
    assert transport is not None
    transport.pause_reading()
    for _ in range(500):
        first.publish("t", b"x" * 100_000)
    # Answered after all of them are in the queue, or dropped from it.
    assert isinstance(first, RabbitAdapter)
    assert first._link is not None
    assert first._link._publisher is not None
    await first._link._publisher.confirm()
    transport.resume_reading()
    await heard.wait_for_restoration()
    assert heard.losses == ["the server dropped messages that this node did not take in time"]
    count = len(heard.messages)
    first.publish("t", b"after")
    assert (await heard.wait_for_messages(count + 1))[-1] == ("t", b"after")


async def test_a_queue_that_is_deleted_is_made_again(
    rabbitmq_server: RabbitServerProcess, pair: list[tuple[Adapter, RecordingInbox]]
) -> None:
    (first, _), (second, heard) = pair
    assert isinstance(second, RabbitAdapter)
    assert second._link is not None
    queue = second._link._queue.decode()
    await asyncio.to_thread(rabbitmq_server.control, "delete_queue", queue)
    await heard.wait_for_restoration()
    first.publish("t", b"1")
    assert await heard.wait_for_messages(1) == [("t", b"1")]


async def test_an_exchange_that_is_deleted_is_made_again(
    rabbitmq_server: RabbitServerProcess, pair: list[tuple[Adapter, RecordingInbox]]
) -> None:
    first, told = pair[0]
    assert isinstance(first, RabbitAdapter)
    name = first._options.prefix
    code = f'rabbit_exchange:delete(rabbit_misc:r(<<"/">>, exchange, <<"{name}">>), false, <<"test">>).'
    await asyncio.to_thread(rabbitmq_server.control, "eval", code)
    first.publish("t", b"1")
    await told.wait_for_restoration()
    assert told.losses == [f"NOT_FOUND - no exchange '{name}' in vhost '/'"]


async def test_a_message_beyond_all_limits_is_refused_and_logged(rabbitmq_server: RabbitServerProcess) -> None:
    adapter = an_adapter(rabbitmq_server.url)
    await adapter.start(RecordingInbox())
    with capture_logs() as logs:
        adapter.publish("t", bytes(LONGEST_MESSAGE + 1))
    assert adapter.too_long == 1
    assert logs[0]["limit"] == LONGEST_MESSAGE
    await adapter.aclose()


async def test_all_of_many_topics_are_joined_before_the_bus_is_back(rabbitmq_server: RabbitServerProcess) -> None:
    adapter, inbox = an_adapter(rabbitmq_server.url, prefix="many"), RecordingInbox()
    await adapter.start(inbox)
    await asyncio.gather(*(joined(adapter, f"t{number}") for number in range(1000)))
    assert adapter._link is not None
    adapter._link.drop("for the test")
    await inbox.wait_for_restoration()
    other = an_adapter(rabbitmq_server.url, prefix="many")
    await other.start(RecordingInbox())
    for number in range(1000):
        other.publish(f"t{number}", b"x")
    assert len({topic for topic, _ in await inbox.wait_for_messages(1000)}) == 1000
    await other.aclose()
    await adapter.aclose()
