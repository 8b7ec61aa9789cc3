"""The NATS adapter where servers die, freeze, refuse and are not what they should be."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import nkeys
import pytest
import structlog
from structlog.testing import capture_logs

from sockudo.bus.base import Adapter
from sockudo.bus.broker.pieces import LONGEST_MESSAGE
from sockudo.bus.nats.adapter import NatsAdapter
from sockudo.config.sections.adapter import NatsAdapterSettings
from sockudo.errors import DriverError
from tests.contracts.adapter import joined
from tests.contracts.adapter_faults import AdapterFaultContract, lose, restore
from tests.fakes.inbox import RecordingInbox
from tests.servers.broker_process import BrokerProcess
from tests.servers.nats_keys import make_credentials
from tests.servers.nats_server import NatsServerProcess
from tests.servers.ports import free_port

SECRET = "hidden-S3cret"
SEED = nkeys.encode_seed(b"s" * 32, nkeys.PREFIX_BYTE_USER).decode()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServerProcess]:
    """A server of this test's own."""
    server = NatsServerProcess(tmp_path / "nats")
    server.start()
    yield server
    server.stop()


def an_adapter(*urls: str, **options: Any) -> NatsAdapter:
    return NatsAdapter(
        NatsAdapterSettings.model_construct(
            servers=urls, **{"prefix": "sockudo", "request_timeout_ms": 500, "connection_timeout_ms": 500, **options}
        )
    )


class TestFaults(AdapterFaultContract):
    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[BrokerProcess]:
        server = NatsServerProcess(tmp_path / "nats")
        server.start()
        yield server
        server.stop()

    @pytest.fixture
    def adapters(self, server: NatsServerProcess) -> list[Adapter]:
        prefix = uuid.uuid4().hex
        return [an_adapter(server.url, prefix=prefix) for _ in range(2)]


async def start_fails(adapter: NatsAdapter) -> str:
    with pytest.raises(DriverError) as caught:
        await adapter.start(RecordingInbox())
    assert not adapter.is_connected
    await adapter.aclose()
    assert SECRET not in str(caught.value)
    assert SEED not in str(caught.value)
    return str(caught.value)


async def test_a_server_that_cannot_be_reached_at_start_is_an_error() -> None:
    port = free_port()
    problem = await start_fails(an_adapter(f"nats://u:{SECRET}@127.0.0.1:{port}"))
    assert f"adapter.nats.servers: nats://127.0.0.1:{port}: " in problem


async def test_a_server_that_says_nothing_is_an_error() -> None:
    silent = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    assert "no answer in 0.2 s" in await start_fails(an_adapter(f"nats://127.0.0.1:{port}", connection_timeout_ms=200))
    silent.close()


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"INFO x\r\n", b"INFO []\r\n"])
async def test_a_server_that_is_not_nats_is_an_error(greeting: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await reader.read()
        writer.close()

    other = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = other.sockets[0].getsockname()[1]
    assert "does not speak NATS" in await start_fails(an_adapter(f"nats://127.0.0.1:{port}"))
    other.close()


@pytest.mark.parametrize(
    ("settings", "options", "setting"),
    [
        ("authorization { user: u, password: p }", {}, "adapter.nats.servers"),
        (
            "authorization { user: u, password: p }",
            {"username": "u", "password": SECRET},
            "adapter.nats.username or password",
        ),
        ("authorization { token: t }", {"token": SECRET}, "adapter.nats.token"),
        ("authorization { token: t }", {"nkey_seed": SEED}, "adapter.nats.nkey_seed"),
    ],
)
async def test_wrong_credentials_are_an_error_that_names_the_setting(
    tmp_path: Path, settings: str, options: dict[str, Any], setting: str
) -> None:
    server = NatsServerProcess(tmp_path / "nats", settings)
    server.start()
    problem = await start_fails(an_adapter(server.url, **options))
    assert problem == f"{setting}: {server.url} refuses: Authorization Violation"
    server.stop()


async def test_credentials_of_another_account_are_an_error(tmp_path: Path) -> None:
    server = NatsServerProcess(tmp_path / "nats", make_credentials(tmp_path / "right"))
    server.start()
    make_credentials(tmp_path / "wrong")
    problem = await start_fails(an_adapter(server.url, credentials_file=tmp_path / "wrong"))
    assert problem.startswith("adapter.nats.credentials_file: ")
    server.stop()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"servers": ()}, "adapter.nats.servers: expected at least one server"),
        ({"servers": (f"http://u:{SECRET}@h",)}, r"adapter.nats.servers\[0\]: expected nats://"),
        ({"servers": ("nats://h", f"nats://{SECRET}@h:99999")}, r"adapter.nats.servers\[1\]: expected nats://"),
        ({"nkey_seed": SECRET}, "adapter.nats.nkey_seed: expected the seed of a user key"),
        ({"credentials_file": Path("/nowhere")}, "adapter.nats.credentials_file: /nowhere: No such file"),
        ({"tls_ca": Path("/nowhere")}, "adapter.nats.tls_ca: /nowhere"),
        ({"tls_cert": Path("/nowhere")}, "adapter.nats.tls_cert: /nowhere"),
        ({"tls_key": Path("/nowhere")}, "adapter.nats.tls_cert: expected the certificate"),
    ],
)
async def test_settings_that_cannot_be_used_are_an_error(options: dict[str, Any], problem: str) -> None:
    adapter = NatsAdapter(NatsAdapterSettings.model_construct(**options))
    with pytest.raises(DriverError, match=problem) as caught:
        await adapter.start(RecordingInbox())
    assert SECRET not in str(caught.value)


async def test_a_user_who_may_not_use_the_prefix_is_an_error(tmp_path: Path) -> None:
    allowed = "permissions: { publish: 'sockudo.>', subscribe: 'sockudo.>' }"
    server = NatsServerProcess(
        tmp_path / "nats", f"authorization {{ users: [ {{ user: u, password: p, {allowed} }} ] }}"
    )
    server.start()
    problem = await start_fails(an_adapter(server.url, username="u", password="p", prefix="other"))
    assert problem.startswith("adapter.nats.username or password: ")
    assert "Permissions Violation" in problem
    server.stop()


async def test_what_the_server_refuses_later_is_counted_and_logged(tmp_path: Path) -> None:
    allowed = "permissions: { publish: 'sockudo.PROBE', subscribe: 'sockudo.>' }"
    server = NatsServerProcess(
        tmp_path / "nats", f"authorization {{ users: [ {{ user: u, password: p, {allowed} }} ] }}"
    )
    server.start()
    adapter, inbox = an_adapter(server.url, username="u", password="p"), RecordingInbox()
    await adapter.start(inbox)
    with capture_logs() as logs:
        for _ in range(10):
            adapter.publish("t", b"x")
        await joined(adapter, "t")
    assert adapter.refusals == 10
    assert [(line["event"], line["times"]) for line in logs] == [("nats bus refuses messages", 1)]
    assert adapter.is_connected
    await adapter.aclose()
    server.stop()


async def test_the_next_server_is_used_when_one_dies(server: NatsServerProcess, nats_server: NatsServerProcess) -> None:
    adapter, inbox = an_adapter(server.url, nats_server.url, prefix="failover"), RecordingInbox()
    other = an_adapter(nats_server.url, prefix="failover")
    await adapter.start(inbox)
    await other.start(RecordingInbox())
    await joined(adapter, "t")
    server.kill()
    await inbox.wait_for_restoration()
    other.publish("t", b"1")
    assert await inbox.wait_for_messages(1) == [("t", b"1")]
    await adapter.aclose()
    await other.aclose()


async def test_a_server_that_does_not_keep_up_is_lost(
    server: NatsServerProcess, monkeypatch: pytest.MonkeyPatch
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


async def test_a_message_beyond_all_limits_is_refused_and_logged(nats_server: NatsServerProcess) -> None:
    adapter = an_adapter(nats_server.url)
    await adapter.start(RecordingInbox())
    with capture_logs() as logs:
        adapter.publish("t", bytes(LONGEST_MESSAGE + 1))
    assert adapter.too_long == 1
    assert logs[0]["limit"] == LONGEST_MESSAGE
    await adapter.aclose()


async def test_no_secret_is_logged_while_a_server_refuses_after_a_restart(tmp_path: Path) -> None:
    server = NatsServerProcess(tmp_path / "nats", f"authorization {{ user: u, password: '{SECRET}' }}")
    server.start()
    adapter, inbox = an_adapter(server.url.replace("//", f"//u:{SECRET}@")), RecordingInbox()
    with capture_logs() as logs:
        await adapter.start(inbox)
        await lose(server.kill, [(adapter, inbox)])
        config = tmp_path / "nats" / "nats.conf"
        right = config.read_text()
        config.write_text(right.replace(SECRET, "changed"))
        await asyncio.to_thread(server.start)
        await logged("Authorization Violation", logs)
        await asyncio.to_thread(server.kill)
        config.write_text(right)
        await restore(server.start, [(adapter, inbox)])
    assert SECRET not in str(logs)
    assert SECRET not in repr(adapter)
    await adapter.aclose()
    server.stop()


async def logged(text: str, logs: Sequence[Any]) -> None:
    """Wait until a line that holds `text` is among the captured ones."""
    came = asyncio.Event()

    def notice(_logger: Any, _method: str, event: Any) -> Any:
        came.set()
        return event

    structlog.get_config()["processors"].insert(0, notice)
    async with asyncio.timeout(10):
        while not any(text in str(line) for line in logs):
            came.clear()
            await came.wait()


async def test_closing_while_connecting_again_ends_it(server: NatsServerProcess) -> None:
    adapter, inbox = an_adapter(server.url, connection_timeout_ms=30000), RecordingInbox()
    await adapter.start(inbox)
    server.freeze()
    await inbox.wait_for_loss()
    await asyncio.wait_for(adapter.aclose(), 2)
    server.thaw()


@pytest.fixture
async def many_topics(server: NatsServerProcess) -> AsyncIterator[tuple[NatsAdapter, RecordingInbox]]:
    adapter, inbox = an_adapter(server.url), RecordingInbox()
    await adapter.start(inbox)
    await asyncio.gather(*(joined(adapter, f"t{number}") for number in range(20_000)))
    yield adapter, inbox
    await adapter.aclose()


async def test_all_of_many_topics_are_joined_before_the_bus_is_back(
    server: NatsServerProcess, many_topics: tuple[NatsAdapter, RecordingInbox]
) -> None:
    adapter, inbox = many_topics
    await lose(server.kill, [many_topics])
    await restore(server.start, [many_topics])
    other = an_adapter(server.url)
    await other.start(RecordingInbox())
    for number in range(20_000):
        other.publish(f"t{number}", b"x")
    assert len({topic for topic, _ in await inbox.wait_for_messages(20_000)}) == 20_000
    await other.aclose()
    assert adapter.is_connected
