"""The NATS adapter where servers die, freeze and refuse, and are not what they should be."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nkeys
import pytest
import structlog
from structlog.testing import capture_logs

from sockudo.bus.nats.adapter import NatsAdapter
from sockudo.config.sections.adapter import NatsAdapterSettings
from tests.contracts.adapter import joined
from tests.contracts.adapter_faults import (
    SECRET,
    BrokerFaultContract,
    Foreign,
    Unusable,
    lose,
    restore,
    start_fails,
)
from tests.fakes.inbox import RecordingInbox
from tests.servers.broker_process import BrokerProcess
from tests.servers.nats_keys import make_credentials
from tests.servers.nats_server import NatsServerProcess

SEED = nkeys.encode_seed(b"s" * 32, nkeys.PREFIX_BYTE_USER).decode()


def an_adapter(*urls: str, **options: Any) -> NatsAdapter:
    quick = {"prefix": "sockudo", "request_timeout_ms": 500, "connection_timeout_ms": 500}
    servers = {"servers": urls} if urls else {}
    return NatsAdapter(NatsAdapterSettings.model_construct(**{**servers, **quick, **options}))


class TestFaults(BrokerFaultContract):
    setting = "adapter.nats.servers"
    scheme = "nats://"
    many = 20_000

    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[BrokerProcess]:
        server = NatsServerProcess(tmp_path / "nats")
        server.start()
        yield server
        server.stop()

    @pytest.fixture
    def stays(self, nats_server: NatsServerProcess) -> BrokerProcess:
        return nats_server

    def an_adapter(self, *addresses: str, **options: Any) -> NatsAdapter:
        return an_adapter(*addresses, **options)

    def with_secret(self, address: str) -> NatsAdapter:
        return an_adapter(address.replace("//", f"//u:{SECRET}@"))

    def address(self, server: BrokerProcess) -> str:
        assert isinstance(server, NatsServerProcess)
        return server.url

    @pytest.fixture(
        params=[b"HTTP/1.1 400 Bad Request\r\n\r\n", b"INFO x\r\n", b"INFO []\r\n", b"INFO " + b"[" * 3_000 + b"\r\n"]
    )
    def foreign(self, request: pytest.FixtureRequest) -> Foreign:
        return Foreign(request.param, "does not speak NATS")

    @pytest.fixture(
        params=[
            ({"servers": ()}, "adapter.nats.servers: expected at least one server"),
            ({"servers": (f"http://u:{SECRET}@h",)}, r"adapter.nats.servers\[0\]: expected nats://"),
            ({"servers": ("nats://h", f"nats://{SECRET}@h:99999")}, r"adapter.nats.servers\[1\]: expected nats://"),
            ({"nkey_seed": SECRET}, "adapter.nats.nkey_seed: expected the seed of a user key"),
            ({"credentials_file": Path("/nowhere")}, "adapter.nats.credentials_file: /nowhere: No such file"),
            ({"tls_ca": Path("/nowhere")}, "adapter.nats.tls_ca: /nowhere"),
            ({"tls_cert": Path("/nowhere")}, "adapter.nats.tls_cert: /nowhere"),
            ({"tls_key": Path("/nowhere")}, "adapter.nats.tls_cert: expected the certificate"),
        ]
    )
    def unusable(self, request: pytest.FixtureRequest) -> Unusable:
        return Unusable(*request.param)


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
    problem = await start_fails(an_adapter(server.url, **options), SEED)
    assert problem == f"{setting}: {server.url} refuses: Authorization Violation"
    server.stop()


async def test_credentials_of_another_account_are_an_error(tmp_path: Path) -> None:
    server = NatsServerProcess(tmp_path / "nats", make_credentials(tmp_path / "right"))
    server.start()
    make_credentials(tmp_path / "wrong")
    problem = await start_fails(an_adapter(server.url, credentials_file=tmp_path / "wrong"))
    assert problem.startswith("adapter.nats.credentials_file: ")
    server.stop()


async def test_a_user_without_rights_to_the_prefix_is_an_error(tmp_path: Path) -> None:
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


async def test_no_secret_is_logged_while_a_restarted_server_refuses(tmp_path: Path) -> None:
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
    async with asyncio.timeout(30):
        while not any(text in str(line) for line in logs):
            came.clear()
            await came.wait()
