"""The NATS adapter against real servers, one for each kind of credentials."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import nats
import nkeys
import pytest

from sockudo.bus.base import Adapter
from sockudo.bus.nats.adapter import NatsAdapter
from sockudo.bus.nats.wire import encode_token
from sockudo.config.sections.adapter import NatsAdapterSettings
from sockudo.errors import DriverError
from tests.contracts.adapter import ODD_TOPIC, AdapterContract, joined
from tests.fakes.inbox import RecordingInbox
from tests.servers.certificates import make_certificate
from tests.servers.nats_keys import make_credentials
from tests.servers.nats_server import NatsServerProcess


def on_a_bus_of_their_own(count: int, **options: object) -> list[Adapter]:
    """Make adapters that share a prefix with nobody else."""
    prefix = f"test.{uuid.uuid4().hex}"
    return [NatsAdapter(NatsAdapterSettings.model_construct(prefix=prefix, **options)) for _ in range(count)]  # type: ignore[arg-type]  # options of mixed types, passed on


class TestPlain(AdapterContract):
    @pytest.fixture
    def adapters(self, nats_server: NatsServerProcess) -> list[Adapter]:
        return on_a_bus_of_their_own(3, servers=(nats_server.url,))


CONTRACT = [name for name in dir(AdapterContract) if name.startswith("test_")]


@pytest.mark.parametrize("name", CONTRACT)
def test_the_contract_holds_on_uvloop(nats_server: NatsServerProcess, name: str) -> None:
    uvloop = pytest.importorskip("uvloop")

    async def check() -> None:
        nodes = [(adapter, RecordingInbox()) for adapter in on_a_bus_of_their_own(3, servers=(nats_server.url,))]
        for adapter, inbox in nodes:
            await adapter.start(inbox)
        await getattr(AdapterContract(), name)(nodes)
        for adapter, _ in nodes:
            await adapter.aclose()

    uvloop.run(check())


class TestUserAndPassword(AdapterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def server(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServerProcess]:
        yield from running(tmp_path_factory, 'authorization { user: "us er", password: "p@ss:word/1" }')

    @pytest.fixture
    def adapters(self, server: NatsServerProcess) -> list[Adapter]:
        in_address = server.url.replace("//", "//us%20er:p%40ss%3Aword%2F1@")
        prefix = uuid.uuid4().hex
        return [
            NatsAdapter(
                NatsAdapterSettings.model_construct(
                    servers=(server.url,), prefix=prefix, username="us er", password="p@ss:word/1"
                )
            ),
            NatsAdapter(NatsAdapterSettings.model_construct(servers=(in_address,), prefix=prefix)),
            NatsAdapter(NatsAdapterSettings.model_construct(servers=(in_address,), prefix=prefix)),
        ]


class TestToken(AdapterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def server(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServerProcess]:
        yield from running(tmp_path_factory, 'authorization { token: "t0ken" }')

    @pytest.fixture
    def adapters(self, server: NatsServerProcess) -> list[Adapter]:
        return on_a_bus_of_their_own(3, servers=(server.url,), token="t0ken")


class TestNkey(AdapterContract):
    SEED = nkeys.encode_seed(b"k" * 32, nkeys.PREFIX_BYTE_USER).decode()

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServerProcess]:
        public = nkeys.from_seed(bytearray(cls.SEED.encode())).public_key.decode()
        # Only what the adapter needs: everything under its prefix.
        allowed = "permissions: { publish: 'test.>', subscribe: 'test.>' }"
        yield from running(tmp_path_factory, f"authorization {{ users: [ {{ nkey: {public}, {allowed} }} ] }}")

    @pytest.fixture
    def adapters(self, server: NatsServerProcess) -> list[Adapter]:
        return on_a_bus_of_their_own(3, servers=(server.url,), nkey_seed=self.SEED)


class TestCredentialsFile(AdapterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return tmp_path_factory.mktemp("credentials")

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls, tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[NatsServerProcess]:
        yield from running(tmp_path_factory, make_credentials(folder / "user.creds"))

    @pytest.fixture
    def adapters(self, server: NatsServerProcess, folder: Path) -> list[Adapter]:
        return on_a_bus_of_their_own(3, servers=(server.url,), credentials_file=folder / "user.creds")


class TestTls(AdapterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return tmp_path_factory.mktemp("tls")

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls, tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[NatsServerProcess]:
        own = make_certificate(folder)
        files = f"cert_file: '{own.cert}', key_file: '{own.key}', ca_file: '{own.cert}', verify: true"
        yield from running(tmp_path_factory, f"tls {{ {files} }}")

    @pytest.fixture
    def adapters(self, server: NatsServerProcess, folder: Path) -> list[Adapter]:
        cert, key = folder / "cert.pem", folder / "key.pem"
        return on_a_bus_of_their_own(3, servers=(server.url,), tls_ca=cert, tls_cert=cert, tls_key=key)

    async def test_a_certificate_that_is_not_trusted_is_an_error(self, server: NatsServerProcess) -> None:
        adapter = on_a_bus_of_their_own(1, servers=(server.url,))[0]
        with pytest.raises(DriverError, match=r"adapter\.nats\.servers: nats://.*CERTIFICATE_VERIFY_FAILED"):
            await adapter.start(RecordingInbox())


class TestSmallPayloads(AdapterContract):
    """A server that takes only short messages, so that the contract's long ones go in pieces."""

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServerProcess]:
        yield from running(tmp_path_factory, "max_payload: 1000")

    @pytest.fixture
    def adapters(self, server: NatsServerProcess) -> list[Adapter]:
        return on_a_bus_of_their_own(3, servers=(server.url,))

    async def test_long_messages_keep_their_order_among_short_ones(
        self, nodes: list[tuple[Adapter, RecordingInbox]]
    ) -> None:
        (first, _), (second, heard), (third, _) = nodes
        await joined(second, "t")
        for number in range(30):
            for name, adapter in ((b"a", first), (b"b", third)):
                adapter.publish("t", name * 2500 + b"%d" % number)
                adapter.publish("t", name + b"%d" % number)
            await asyncio.sleep(0)
        messages = [data for _, data in await heard.wait_for_messages(120)]
        for name in (b"a", b"b"):
            expected = [size * name + b"%d" % number for number in range(30) for size in (2500, 1)]
            assert [data for data in messages if data[:1] == name] == expected


async def test_another_client_reads_what_is_published_and_is_heard(nats_server: NatsServerProcess) -> None:
    adapter = NatsAdapter(NatsAdapterSettings.model_construct(servers=(nats_server.url,), prefix="judged"))
    inbox = RecordingInbox()
    await adapter.start(inbox)
    judge = await nats.connect(nats_server.url)
    subscription = await judge.subscribe("judged.>")
    await judge.flush()
    await joined(adapter, ODD_TOPIC)
    adapter.publish(ODD_TOPIC, b"\x00\r\nPUB")
    message = await subscription.next_msg(5)
    assert (message.subject, message.data) == (f"judged.{encode_token(ODD_TOPIC).decode()}", b"\x00\r\nPUB")
    await judge.publish(message.subject, b"x" * 300_000, headers={"a": "b"})
    await judge.publish(message.subject, b"")
    assert await inbox.wait_for_messages(2) == [(ODD_TOPIC, b"x" * 300_000), (ODD_TOPIC, b"")]
    await judge.close()
    await adapter.aclose()


async def test_a_tick_leaves_in_one_write(nats_server: NatsServerProcess) -> None:
    """Counted by the server, which counts what it reads."""
    adapter = NatsAdapter(NatsAdapterSettings.model_construct(servers=(nats_server.url,)))
    await adapter.start(RecordingInbox())
    writes: list[bytes] = []
    connection = adapter._link
    assert connection is not None
    assert connection._transport is not None
    transport = connection._transport
    connection._transport = type("Recorder", (), {"write": staticmethod(writes.append)})()
    confirmed = [adapter.subscribe(f"t{number}") for number in range(3)]
    for number in range(10):
        adapter.publish("t", b"%d" % number)
    await asyncio.sleep(0)
    connection._transport = transport
    assert len(writes) == 1
    assert writes[0].count(b"SUB ") == 3
    assert writes[0].count(b"PUB ") == 10
    assert writes[0].count(b"PING") == 1
    transport.write(writes[0])
    await asyncio.gather(*(future for future in confirmed if future is not None))
    await adapter.aclose()


def running(tmp_path_factory: pytest.TempPathFactory, settings: str) -> Iterator[NatsServerProcess]:
    """Run a server of its own for one class."""
    server = NatsServerProcess(tmp_path_factory.mktemp("nats"), settings)
    server.start()
    yield server
    server.stop()


def test_options_do_not_show_secrets() -> None:
    options = NatsAdapterSettings.model_construct(
        servers=("nats://u:hidden@h:1",), username="u", password="hidden", token="hidden", nkey_seed="hidden"
    )
    assert "hidden" not in repr(options)
    assert json.dumps(str(options)).count("hidden") == 0


async def test_messages_of_former_connections_are_not_heard_after_newer_ones(
    nats_server: NatsServerProcess,
) -> None:
    """As a server delivers it that was frozen and goes on with what it had read before."""
    adapter, inbox = (
        NatsAdapter(NatsAdapterSettings.model_construct(servers=(nats_server.url,), prefix="epochs")),
        RecordingInbox(),
    )
    await adapter.start(inbox)
    await joined(adapter, "t")
    publisher = await nats.connect(nats_server.url)
    for reply, data in (("n.1", b"1"), ("n.2", b"2"), ("n.1", b"stale"), ("n.1.5.0.1", b"stale piece"), ("n.2", b"3")):
        await publisher.publish("epochs.t", data, reply=reply)
    assert [data for _, data in await inbox.wait_for_messages(3)] == [b"1", b"2", b"3"]
    await publisher.close()
    await adapter.aclose()
