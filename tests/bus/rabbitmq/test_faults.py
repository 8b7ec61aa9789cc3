"""The RabbitMQ adapter where servers die, freeze, refuse, run short and are not what they should be."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from sockudo.bus.rabbitmq.adapter import RabbitAdapter
from sockudo.config.sections.rabbitmq import RabbitAdapterSettings
from sockudo.errors import DriverError
from tests.contracts.adapter import joined
from tests.contracts.adapter_faults import (
    SECRET,
    BrokerFaultContract,
    Foreign,
    Nodes,
    Unusable,
    start_fails,
)
from tests.fakes.inbox import RecordingInbox
from tests.faults.proxy import Proxy
from tests.servers.broker_process import BrokerProcess
from tests.servers.rabbitmq_server import RabbitServerProcess


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServerProcess]:
    """A server that the tests of this file kill and freeze; starting one takes seconds."""
    server = RabbitServerProcess(tmp_path_factory.mktemp("mortal-rabbitmq"))
    yield server
    server.stop()


@pytest.fixture
def server(mortal: RabbitServerProcess) -> Iterator[RabbitServerProcess]:
    """The same, running."""
    mortal.ensure()
    yield mortal
    mortal.thaw()


def an_adapter(*urls: str, **options: Any) -> RabbitAdapter:
    # A second is the shortest heartbeat of AMQP, and a busy machine may be late with one.
    quick = {"request_timeout_ms": 1500, "connection_timeout_ms": 1500}
    url = {"url": ",".join(urls)} if urls else {}
    return RabbitAdapter(RabbitAdapterSettings.model_construct(**{**url, **quick, **options}))


class TestFaults(BrokerFaultContract):
    setting = "adapter.rabbitmq.url"
    scheme = "amqp://"

    @pytest.fixture
    def server(self, server: RabbitServerProcess) -> BrokerProcess:
        return server

    @pytest.fixture
    def stays(self, rabbitmq_server: RabbitServerProcess) -> BrokerProcess:
        return rabbitmq_server

    def an_adapter(self, *addresses: str, **options: Any) -> RabbitAdapter:
        return an_adapter(*addresses, **options)

    def with_secret(self, address: str) -> RabbitAdapter:
        return an_adapter(address.replace("//", f"//u:{SECRET}@"))

    def address(self, server: BrokerProcess) -> str:
        assert isinstance(server, RabbitServerProcess)
        return server.url

    @pytest.fixture(
        params=[
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak AMQP"),
            (b"AMQP\x00\x01\x00\x00", "does not speak AMQP"),
            (b"\x01\x00\x00\x00\x00\x00\x04\xff\xff\xff\xff\xce", "does not speak AMQP: a method that cannot be read"),
            (
                b"\x01\x00\x00\x00\x00\x00\x05\x00\x0a\x00\x0a\x00\xce",
                "does not speak AMQP: a method that cannot be read",
            ),
            (b"\x01\x00\x00\x00\x00\x00\x01\x00\x00", "a frame that is longer than announced"),
            (b"\x02\x00\x01\x00\x00\x00\x00\xce", "a header without a message"),
            (b"\x03\x00\x01\x00\x00\x00\x01x\xce", "a body without a message"),
            (b"\x01\x00\x01\x00\x00\x00\x06\x00\x3c\x00\x3c\x01m\xce", "a delivery that is cut short"),
            (b"\x01\x00\x01\x7f\xff\xff\xff", "a frame that is too long"),
        ]
    )
    def foreign(self, request: pytest.FixtureRequest) -> Foreign:
        return Foreign(*request.param)

    @pytest.fixture(
        params=[
            ({"url": ""}, "adapter.rabbitmq.url: expected amqp://"),
            ({"url": f"http://u:{SECRET}@h"}, "adapter.rabbitmq.url: expected amqp://"),
            ({"url": f"amqp://h,amqp://{SECRET}@h:99999"}, "adapter.rabbitmq.url: expected amqp://"),
            ({"url": f"amqp://u:{SECRET}@h/a/b"}, "adapter.rabbitmq.url: expected amqp://"),
            ({"prefix": "a b"}, "adapter.rabbitmq.prefix: expected at most 100 letters"),
            ({"prefix": "a" * 101}, "adapter.rabbitmq.prefix: expected at most 100 letters"),
            ({"url": "amqps://h", "tls_ca": Path("/nowhere")}, "adapter.rabbitmq.tls_ca: /nowhere"),
            ({"url": "amqps://h", "tls_key": Path("/nowhere")}, "adapter.rabbitmq.tls_cert: expected the certificate"),
            ({"url": "amqp://h", "tls_ca": Path("/nowhere")}, "adapter.rabbitmq.url: expected amqps:// with"),
        ]
    )
    def unusable(self, request: pytest.FixtureRequest) -> Unusable:
        return Unusable(*request.param)


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


async def test_an_exchange_of_another_kind_is_an_error(rabbitmq_server: RabbitServerProcess) -> None:
    problem = await start_fails(an_adapter(rabbitmq_server.url, prefix="amq.fanout"))
    assert "PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'amq.fanout'" in problem


@pytest.fixture
def prefix() -> str:
    return uuid.uuid4().hex


@pytest.fixture
async def pair(rabbitmq_server: RabbitServerProcess, prefix: str) -> AsyncIterator[Nodes]:
    """Two adapters on the server that stays; the second has joined "t"."""
    nodes: Nodes = [(an_adapter(rabbitmq_server.url, prefix=prefix), RecordingInbox()) for _ in range(2)]
    for adapter, inbox in nodes:
        await adapter.start(inbox)
    await joined(nodes[1][0], "t")
    yield nodes
    for adapter, _ in nodes:
        await adapter.aclose()


async def test_a_server_that_blocks_messages_is_lost_until_it_recovers(
    rabbitmq_server: RabbitServerProcess, pair: Nodes
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


@pytest.fixture
async def proxy(rabbitmq_server: RabbitServerProcess) -> AsyncIterator[Proxy]:
    """The network between one node and the server that stays."""
    proxy = Proxy(rabbitmq_server.port)
    await proxy.start()
    yield proxy
    await proxy.aclose()


async def test_a_node_that_falls_behind_is_lost_and_told(
    rabbitmq_server: RabbitServerProcess, prefix: str, proxy: Proxy
) -> None:
    patient: dict[str, Any] = {"prefix": prefix, "request_timeout_ms": 30_000}
    first = an_adapter(rabbitmq_server.url, **patient)
    second, heard = an_adapter(f"amqp://127.0.0.1:{proxy.port}", max_queue_mb=1, **patient), RecordingInbox()
    await first.start(RecordingInbox())
    await second.start(heard)
    await joined(second, "t")
    await joined(first, "own")
    proxy.stall()
    for _ in range(500):
        first.publish("t", b"x" * 100_000)
    # Confirmed after all of them are in the queue, or dropped from it.
    await joined(first, "own")
    proxy.heal()
    await heard.wait_for_restoration()
    assert heard.losses == ["the server dropped messages that this node did not take in time"]
    count = len(heard.messages)
    first.publish("t", b"after")
    assert (await heard.wait_for_messages(count + 1))[-1] == ("t", b"after")
    await first.aclose()
    await second.aclose()


async def test_a_queue_that_is_deleted_is_made_again(
    rabbitmq_server: RabbitServerProcess, prefix: str, pair: Nodes
) -> None:
    (first, _), (_, heard) = pair
    columns = ("source_name", "routing_key", "destination_name")
    bindings = await asyncio.to_thread(rabbitmq_server.control, "list_bindings", *columns)
    (queue,) = [words[2] for line in bindings.splitlines() if (words := line.split("\t"))[:2] == [prefix, "t"]]
    await asyncio.to_thread(rabbitmq_server.control, "delete_queue", queue)
    await heard.wait_for_restoration()
    first.publish("t", b"1")
    assert await heard.wait_for_messages(1) == [("t", b"1")]


async def test_an_exchange_that_is_deleted_is_made_again(
    rabbitmq_server: RabbitServerProcess, prefix: str, pair: Nodes
) -> None:
    first, told = pair[0]
    code = f'rabbit_exchange:delete(rabbit_misc:r(<<"/">>, exchange, <<"{prefix}">>), false, <<"test">>).'
    await asyncio.to_thread(rabbitmq_server.control, "eval", code)
    first.publish("t", b"1")
    await told.wait_for_restoration()
    assert told.losses == [f"NOT_FOUND - no exchange '{prefix}' in vhost '/'"]
