"""The RabbitMQ adapter against a real server."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sockudo.bus.base import Adapter
from sockudo.bus.rabbitmq.adapter import RabbitAdapter, routing_key
from sockudo.bus.rabbitmq.connection import RabbitConnection
from sockudo.bus.rabbitmq.options import parse_servers
from sockudo.bus.rabbitmq.wire import content_frames, publish_frame
from sockudo.config.sections.rabbitmq import RabbitAdapterSettings
from sockudo.errors import DriverError
from tests.contracts.adapter import AdapterContract, joined
from tests.contracts.adapter_nodes import check_that_two_servers_are_one
from tests.fakes.inbox import RecordingInbox
from tests.servers.rabbitmq_server import PASSWORD, RabbitServerProcess


def on_a_bus_of_their_own(count: int, **options: Any) -> list[Adapter]:
    """Make adapters that share an exchange with nobody else."""
    prefix = f"sockudo_adapter.{uuid.uuid4().hex}"
    return [RabbitAdapter(RabbitAdapterSettings.model_construct(prefix=prefix, **options)) for _ in range(count)]


class TestPlain(AdapterContract):
    @pytest.fixture
    def adapters(self, rabbitmq_server: RabbitServerProcess) -> list[Adapter]:
        return on_a_bus_of_their_own(3, url=rabbitmq_server.url)

    async def test_a_topic_longer_than_a_routing_key_is_heard(
        self, nodes: list[tuple[Adapter, RecordingInbox]]
    ) -> None:
        (first, _), (second, heard), _ = nodes
        topics = ["é" * 499 + end for end in "ab"]
        for topic in topics:
            await joined(second, topic)
        for topic in topics:
            first.publish(topic, topic[-1].encode())
        assert await heard.wait_for_messages(2) == [(topics[0], b"a"), (topics[1], b"b")]

    async def test_a_message_of_several_pieces_keeps_its_place(
        self, nodes: list[tuple[Adapter, RecordingInbox]]
    ) -> None:
        (first, _), (second, heard), _ = nodes
        await joined(second, "t")
        messages = [b"before", bytes(9 * 1024 * 1024), b"", b"after"]
        for data in messages:
            first.publish("t", data)
        assert [data for _, data in await heard.wait_for_messages(4)] == messages


class TestUserWithFewRights(AdapterContract):
    """Over TLS on both sides, in a vhost with an odd name, as a user who may use what begins with the prefix."""

    @pytest.fixture
    def adapters(self, rabbitmq_server: RabbitServerProcess) -> list[Adapter]:
        own = rabbitmq_server.client_certificate
        url = rabbitmq_server.url_of("bus").replace("amqp:", "amqps:")
        url = url.replace(str(rabbitmq_server.port), str(rabbitmq_server.tls_port))
        return on_a_bus_of_their_own(
            3, url=url, tls_ca=rabbitmq_server.certificate.cert, tls_cert=own.cert, tls_key=own.key
        )


async def test_a_certificate_that_is_not_trusted_is_an_error(rabbitmq_server: RabbitServerProcess) -> None:
    url = f"amqps://127.0.0.1:{rabbitmq_server.tls_port}"
    with pytest.raises(DriverError, match=r"adapter\.rabbitmq\.url: amqps://.*CERTIFICATE_VERIFY_FAILED"):
        await RabbitAdapter(RabbitAdapterSettings.model_construct(url=url)).start(RecordingInbox())


async def test_a_tick_leaves_in_one_write_for_each_connection(rabbitmq_server: RabbitServerProcess) -> None:
    adapter = RabbitAdapter(RabbitAdapterSettings.model_construct(url=rabbitmq_server.url))
    await adapter.start(RecordingInbox())
    link = adapter._link
    assert link is not None
    with recorded(link._publisher) as publishing, recorded(link._subscriber) as subscribing:
        confirmed = [adapter.subscribe(f"t{number}") for number in range(3)]
        for number in range(10):
            adapter.publish("t", b"%d" % number)
        await asyncio.gather(*(future for future in confirmed if future is not None))
    assert len(publishing) == 1
    assert publishing[0].count(b"\x00\x3c\x00\x28") == 10
    assert len(subscribing) == 1
    assert subscribing[0].count(b"\x00\x32\x00\x14") == 3
    await adapter.aclose()


@contextmanager
def recorded(connection: RabbitConnection | None) -> Iterator[list[bytes]]:
    """Note what is written to a connection, write by write."""
    assert connection is not None
    transport, writes = connection._transport, list[bytes]()
    assert transport is not None

    def write(data: bytes) -> None:
        writes.append(data)
        transport.write(data)

    connection._transport = type("Recorder", (), {"write": staticmethod(write)})()
    yield writes
    connection._transport = transport


async def test_messages_of_former_connections_are_not_heard_after_newer_ones(
    rabbitmq_server: RabbitServerProcess,
) -> None:
    """As a server delivers it that was frozen and goes on with what it had read before."""
    options = RabbitAdapterSettings.model_construct(url=rabbitmq_server.url, prefix="sockudo_adapter.epochs")
    adapter, other, inbox = RabbitAdapter(options), RabbitAdapter(options), RecordingInbox()
    await adapter.start(inbox)
    await other.start(RecordingInbox())
    await joined(adapter, "t")
    link, frame = other._link, publish_frame(b"sockudo_adapter.epochs", b"t")
    assert link is not None
    for label, data in ((b"n.1", b"1"), (b"n.2", b"2"), (b"n.1", b"old"), (b"n.1.5.0.1", b"old piece"), (b"n.2", b"3")):
        link.publish(frame, label, data)
    assert [data for _, data in await inbox.wait_for_messages(3)] == [b"1", b"2", b"3"]
    await adapter.aclose()
    await other.aclose()


async def test_another_publisher_is_heard(rabbitmq_server: RabbitServerProcess) -> None:
    """One that knows nothing of our labels, and gives its messages properties of its own."""
    adapter, inbox = (
        RabbitAdapter(RabbitAdapterSettings.model_construct(url=rabbitmq_server.url, prefix="judged")),
        RecordingInbox(),
    )
    await adapter.start(inbox)
    await joined(adapter, "t")
    # A message with content type, headers and time stamp, as the server's own command line sends it.
    properties = '<<"text/plain">>, undefined, [{<<"a">>, longstr, <<"b">>}], 1' + ", undefined" * 5 + ", 1"
    code = f"""
        Name = rabbit_misc:r(<<"/">>, exchange, <<"judged">>),
        Properties = {{'P_basic', {properties}, undefined, undefined, undefined, undefined}},
        Content = rabbit_basic:build_content(Properties, <<"hello">>),
        {{ok, Message}} = rabbit_basic:message(Name, <<"t">>, Content),
        rabbit_basic:publish(rabbit_basic:delivery(false, false, Message, undefined)).
    """
    await asyncio.to_thread(rabbitmq_server.control, "eval", code)
    assert await inbox.wait_for_messages(1) == [("t", b"hello")]
    await adapter.aclose()


async def test_two_servers_are_one(rabbitmq_server: RabbitServerProcess) -> None:
    await check_that_two_servers_are_one(on_a_bus_of_their_own(3, url=rabbitmq_server.url))


def test_keys_of_topics_fit_and_differ() -> None:
    assert routing_key("t") == b"t"
    long = [routing_key("x" * 300 + end) for end in "ab"]
    assert long[0] != long[1]
    assert all(len(key) <= 255 for key in long)


def test_a_long_body_goes_in_frames_the_server_accepts() -> None:
    frames = content_frames(b"n.1", b"x" * 9000, 4096)
    assert frames.count(b"\x03\x00\x01\x00\x00\x0f\xf8") == 2
    assert len(frames) == 9000 + 3 * 8 + 7 + 15 + 3 + 1


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("amqp://h", ("h", 5672, False, "guest", "guest", "/")),
        ("h:1", ("h", 1, False, "guest", "guest", "/")),
        ("amqps://u:p%2F%2C@[::1]/a%2Fb", ("::1", 5671, True, "u", "p/,", "a/b")),
        ("amqp://u:@h:5/%2f", ("h", 5, False, "u", "", "/")),
    ],
)
def test_an_address_says_where_and_who(url: str, expected: tuple[Any, ...]) -> None:
    (server,) = parse_servers(RabbitAdapterSettings.model_construct(url=url))
    assert (server.host, server.port, server.tls, server.username, server.password, server.vhost) == expected
    assert server.password not in str(server) or server.password in ("", "guest")


def test_options_do_not_show_secrets() -> None:
    options = RabbitAdapterSettings.model_construct(url=f"amqp://u:{PASSWORD}@h")
    assert PASSWORD not in repr(options)
    assert "hidden" not in repr(
        parse_servers(RabbitAdapterSettings.model_construct(url="amqp://hidden:hidden@h,amqp://x:hidden@i"))
    )
