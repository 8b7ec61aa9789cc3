"""A real RabbitMQ server."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.servers.broker_process import BrokerProcess, find_program
from tests.servers.certificates import make_certificate, sign_certificate
from tests.servers.ports import free_port
from tests.servers.processes import ServerProcess, wait_until

PASSWORD: Final = "s3cret with ü and @:/"
_HINT: Final = "apt install rabbitmq-server"
_PROGRAMS: Final = Path("/usr/lib/rabbitmq/bin")


class RabbitServerProcess(BrokerProcess):
    """`rabbitmq-server` with a folder, a name and ports of its own; nobody but the tests reaches it.

    `guest` may do everything; `bus`, with a password, what the adapter needs in the vhost `/a vhost`; `reader` may not
    publish. It listens with and without TLS. Erlang's name server, which would stay behind otherwise, is a process of
    the tests too.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port, self.tls_port, name_port = free_port(), free_port(), free_port()
        self.certificate = make_certificate(folder)
        self.client_certificate = sign_certificate(folder, self.certificate)
        self._environ = {
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(name_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "logs"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(self._write_configuration(folder)),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "no-plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none",
            # Without a shell between it and the tests, so that what they send reaches it.
            "RABBITMQ_ALLOW_INPUT": "1",
            "RABBITMQ_SERVER_START_ARGS": "-noinput",
        }
        (folder / "names").mkdir()
        names = [find_program("epmd", _HINT), "-port", str(name_port), "-address", "127.0.0.1"]
        self._names = ServerProcess(names, folder / "names")
        self._name_port = name_port
        # What is on the path changes the user, for a server of the whole machine.
        find_program("rabbitmq-server", _HINT)
        super().__init__([str(_PROGRAMS / "rabbitmq-server")], folder, self._greets, environ=self._environ)

    @property
    def url(self) -> str:
        """The address for clients, with the user who may do everything."""
        return f"amqp://127.0.0.1:{self.port}"

    def url_of(self, user: str, password: str = "s3cret%20with%20%C3%BC%20and%20%40%3A%2F") -> str:
        """The address for clients, with another user."""
        return f"amqp://{user}:{password}@127.0.0.1:{self.port}/%2Fa%20vhost"

    def start(self) -> None:
        """Start it and return when it answers."""
        if not self._names.is_running:
            self._names.start()
            wait_until(lambda: _listens(self._name_port), "epmd answers")
        super().start()

    def stop(self) -> None:
        """End it, and what it needed."""
        super().stop()
        self._names.end()

    def control(self, *words: str) -> str:
        """Run `rabbitmqctl`; the answer is what it prints."""
        command = [str(_PROGRAMS / "rabbitmqctl"), "--quiet", *words]
        environ = {**os.environ, **self._environ, "RABBITMQ_SERVER_START_ARGS": ""}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"rabbitmqctl {words[0]} failed\n{done.stdout}{done.stderr}\n{self.log_tail()}"
        return done.stdout

    def _write_configuration(self, folder: Path) -> Path:
        every, own = ".*", "^sockudo_adapter"
        users = {"guest": ("/", every, every), "bus": ("/a vhost", own, own), "reader": ("/a vhost", own, "^$")}
        definitions = {
            "vhosts": [{"name": "/"}, {"name": "/a vhost"}],
            "users": [
                {"name": name, "password": "guest" if name == "guest" else PASSWORD, "tags": ""} for name in users
            ],
            "permissions": [
                {"user": user, "vhost": vhost, "configure": allowed, "write": write, "read": allowed}
                for user, (vhost, allowed, write) in users.items()
            ],
        }
        (folder / "definitions.json").write_text(json.dumps(definitions))
        # As Erlang's terms, because the other kind of file takes a second to read.
        config = folder / "rabbitmq.config"
        config.write_text(
            f"""[{{rabbit, [
                {{tcp_listeners, [{{"127.0.0.1", {self.port}}}]}},
                {{ssl_listeners, [{{"127.0.0.1", {self.tls_port}}}]}},
                {{ssl_options, [
                    {{cacertfile, "{self.certificate.cert}"}},
                    {{certfile, "{self.certificate.cert}"}},
                    {{keyfile, "{self.certificate.key}"}},
                    {{verify, verify_peer}},
                    {{fail_if_no_peer_cert, true}}
                ]}},
                {{load_definitions, "{folder / "definitions.json"}"}}
            ]}}]."""
        )
        return config

    def _greets(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), 1) as client:
            client.sendall(b"AMQP\x00\x00\x09\x01")
            return client.recv(1) == b"\x01"


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="session")
def rabbitmq_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServerProcess]:
    """A RabbitMQ that anybody may use; tests leave it running as it is."""
    server = RabbitServerProcess(tmp_path_factory.mktemp("rabbitmq"))
    try:
        server.start()
        yield server
    finally:
        server.stop()
