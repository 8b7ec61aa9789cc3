"""A real RabbitMQ broker, with its own Erlang port mapper, so that nothing is shared with one on the machine."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.support.broker_process import ServerProcess, find_program, free_port, missing

# The packages' `rabbitmq-server` on the path changes to a user of its own; these scripts do not.
_SCRIPTS = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "/opt/rabbitmq/sbin/rabbitmq-server")


class RabbitMQProcess(ServerProcess):
    """One broker with the user `guest`, password `guest`; `settings` are lines of its configuration file."""

    def __init__(self, folder: Path, settings: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port, mapper_port = free_port(), free_port()
        script = next((path for path in _SCRIPTS if Path(path).exists()), None)
        if script is None:
            missing("rabbitmq-server is missing: apt install rabbitmq-server")
        (folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\n{settings}\n")
        (folder / "enabled_plugins").write_text("[].\n")
        environment = {
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            # One scheduler each: the machine is shared with the tests.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 -kernel inet_dist_use_interface {127,0,0,1}",
        }
        super().__init__([script], folder, self._greets, environment=environment)
        mapper = [find_program("epmd", "apt install erlang-base"), "-port", str(mapper_port), "-address", "127.0.0.1"]
        mapper_folder = folder / "epmd"
        mapper_folder.mkdir(exist_ok=True)
        self._mapper = ServerProcess(mapper, mapper_folder, lambda: _listens(mapper_port))

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start the port mapper where it does not run yet, then the broker."""
        if not self._mapper.is_running:
            self._mapper.start()
        super().start()

    def close(self) -> None:
        """End both."""
        self.kill()
        self._mapper.kill()

    def _greets(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), 1) as client:
            client.settimeout(5)
            client.sendall(b"AMQP\x00\x00\x09\x01")
            return client.recv(1) == b"\x01"


def _listens(port: int) -> bool:
    socket.create_connection(("127.0.0.1", port), 1).close()
    return True
