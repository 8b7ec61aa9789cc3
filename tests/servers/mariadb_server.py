"""A real MariaDB server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sockudo.apps.database.options import SqlOptions
from sockudo.config.sections.sql_databases import MysqlSettings
from tests.servers.broker_process import BrokerProcess
from tests.servers.certificates import make_certificate
from tests.servers.ports import free_port
from tests.servers.processes import program

PACKAGE = "mariadb-server"
# Nothing in it may have a meaning in a URL or in SQL.
PASSWORD = "s3cret @:/?#%&'\"ü"


class MariaDbProcess(BrokerProcess):
    """`mariadbd` with a database `sockudo`, whose user `sockudo` has `PASSWORD`; with `tls` it takes TLS too."""

    def __init__(self, folder: Path, *, tls: bool) -> None:
        self.port = free_port()
        self.authority = make_certificate(folder).cert
        self._data, self._socket = folder / "data", folder / "socket"
        user = ["--user=root"] if os.geteuid() == 0 else []
        install = [program("mariadb-install-db", PACKAGE), "--no-defaults", f"--datadir={self._data}"]
        install += ["--auth-root-authentication-method=normal", "--skip-test-db", *user]
        subprocess.run(install, check=True, capture_output=True, timeout=60)
        command = [program("mariadbd", PACKAGE), "--no-defaults", f"--datadir={self._data}", *user]
        command += [f"--port={self.port}", f"--socket={self._socket}", "--bind-address=127.0.0.1"]
        command += [
            "--skip-log-bin",
            "--skip-name-resolve",
            "--innodb-buffer-pool-size=16M",
            "--innodb-log-file-size=8M",
        ]
        command += [f"--ssl-cert={self.authority}", f"--ssl-key={folder / 'key.pem'}"] if tls else ["--skip-ssl"]
        super().__init__(command, folder, self._greets)

    @property
    def options(self) -> SqlOptions:
        """How a store reaches it."""
        return SqlOptions(
            "mysql", MysqlSettings(host="127.0.0.1", port=self.port, username="sockudo", password=PASSWORD)
        )

    def run(self, script: str, database: str = "sockudo") -> str:
        """Run SQL as the administrator; the answer is what the client prints, without a head."""
        command = [program("mariadb", "mariadb-client"), "--no-defaults", f"--socket={self._socket}", "-uroot", "-N"]
        command.append("--default-character-set=utf8mb4")
        done = subprocess.run(
            [*command, database], input=script, capture_output=True, text=True, timeout=20, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _greets(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), 1) as client:
            return bool(client.recv(5))


@contextmanager
def running_mariadb(*, tls: bool = True) -> Iterator[MariaDbProcess]:
    """Start a server, and end it whatever happens."""
    # Not a folder of pytest: the path of a socket is limited to about a hundred bytes.
    folder = Path(tempfile.mkdtemp(prefix="mariadb-"))
    server = MariaDbProcess(folder, tls=tls)
    try:
        server.start()
        quoted = PASSWORD.replace("'", "''")
        server.run(
            f"CREATE DATABASE sockudo; CREATE USER sockudo@'%' IDENTIFIED BY '{quoted}';"
            "GRANT ALL ON *.* TO sockudo@'%' WITH GRANT OPTION;",
            "mysql",
        )
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDbProcess]:
    """One server for the run; who stops it starts it again."""
    with running_mariadb() as server:
        yield server
