"""A real PostgreSQL server."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockudo.apps.database.options import SqlOptions
from sockudo.config.sections.sql_databases import PostgresSettings
from tests.servers.broker_process import BrokerProcess
from tests.servers.certificates import make_certificate
from tests.servers.mariadb_server import PASSWORD
from tests.servers.missing import missing
from tests.servers.ports import free_port
from tests.setup.apt import find_command

# The server does not run as root. This user owns nothing else.
_NOBODY = 65534


def _find(name: str) -> str:
    """Return where a program of PostgreSQL is."""
    return find_command(name) or missing(f"{name} is not installed: apt-get install postgresql")


def _as_nobody(*command: str) -> list[str]:
    if os.geteuid() != 0:
        return list(command)
    ids = [f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]
    return [shutil.which("setpriv") or missing("setpriv is not installed: apt-get install util-linux"), *ids, *command]


class PostgresProcess(BrokerProcess):
    """`postgres` with a database `sockudo`, whose user `postgres` has `PASSWORD`; it takes TLS and goes without."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.authority = make_certificate(folder).cert
        self._folder_of_data = folder / "data"
        password = folder / "password"
        password.write_text(PASSWORD, "utf-8")
        for path in (folder, *folder.iterdir()):
            if os.geteuid() == 0:
                os.chown(path, _NOBODY, _NOBODY)
        (folder / "key.pem").chmod(0o600)
        self.call("initdb", "-D", str(self._folder_of_data), "-U", "postgres", "-A", "scram-sha-256", "--no-sync",
                  "-E", "UTF8", "--locale=C", f"--pwfile={password}")  # fmt: skip
        command = _as_nobody(_find("postgres"), "-D", str(self._folder_of_data), "-p", str(self.port))
        command += ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
        command += ["-c", "shared_buffers=16MB", "-c", "ssl=on", "-c", f"ssl_cert_file={self.authority}"]
        super().__init__([*command, "-c", f"ssl_key_file={folder / 'key.pem'}"], folder, self._answers_all)

    def call(self, name: str, *words: str, script: str | None = None) -> str:
        """Run one of PostgreSQL's programs."""
        environ = os.environ | {"PGPASSWORD": PASSWORD}
        done = subprocess.run(
            _as_nobody(_find(name), *words),
            input=script,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environ,
            cwd="/",
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def options(self) -> SqlOptions:
        """How a store reaches it."""
        return SqlOptions(
            "pgsql", PostgresSettings(host="127.0.0.1", port=self.port, username="postgres", password=PASSWORD)
        )

    def run(self, script: str, database: str = "sockudo") -> str:
        """Run SQL as the administrator; the answer is what psql prints, without a head."""
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", database]
        return self.call("psql", *where, "-qtA", "-v", "ON_ERROR_STOP=1", script=script)

    def stop(self) -> None:
        """End the server without waiting for its clients."""
        self.end(signal.SIGINT)

    def _answers_all(self) -> bool:
        # It accepts connections before it serves them, above all after a crash.
        command = _as_nobody(_find("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port))
        return subprocess.run(command, cwd="/", check=False).returncode == 0


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresProcess]:
    """One server for the run; who stops it starts it again."""
    # Not a folder of pytest, which is closed to the user that the server runs as.
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    server = PostgresProcess(folder)
    try:
        server.start()
        server.run("CREATE DATABASE sockudo", "postgres")
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
