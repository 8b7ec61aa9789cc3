"""Real Redis servers for tests, and the fixtures that start each kind once for a run."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import hiredis
import pytest

from tests.servers.ports import free_port
from tests.servers.processes import ServerProcess, program, wait_until

PACKAGE = "redis-server"
_WAIT: Final = 10.0
PASSWORD = "s3cret with ü and @:/"


class RedisProcess:
    """One `redis-server`. `login` are the words that redis-cli needs to be let in."""

    def __init__(
        self, folder: Path, *options: str, file: Path | None = None, login: tuple[str, ...] = (), tls: bool = False
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._login = login
        listen = ["--port", "0", "--tls-port", str(self.port)] if tls else ["--port", str(self.port)]
        quiet = ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--dir", str(folder)]
        self._process = ServerProcess(
            [program("redis-server", PACKAGE), *([str(file)] if file else []), *listen, *quiet, *options], folder
        )

    @property
    def url(self) -> str:
        """Where it is, without a login."""
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and return when it answers."""
        self._process.start()
        wait_until(lambda: self._ask("PING") == "PONG", "redis-server answers")

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.end(signal.SIGKILL)

    def stop(self) -> None:
        """End it."""
        self._process.end()

    def pause(self) -> None:
        """Let it hang."""
        self._process.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._process.send(signal.SIGCONT)

    def cli(self, *words: str) -> str:
        """Run a command; the answer is what redis-cli prints."""
        answer = self._ask(*words)
        assert answer is not None, f"redis-cli {words[0]} failed\n{self.log_tail()}"
        return answer

    def log_tail(self) -> str:
        """Return the end of its log."""
        return self._process.log_tail()

    def _ask(self, *words: str) -> str | None:
        if not self._login:
            return _ask_plainly(self.port, words)
        command = [program("redis-cli", "redis-tools"), "-p", str(self.port), *self._login, *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_WAIT, check=False)
        return done.stdout.strip() if done.returncode == 0 else None


def _ask_plainly(port: int, words: tuple[str, ...]) -> str | None:
    """Return what redis-cli would print, without the time that it takes to start a program."""
    reader = hiredis.Reader(encoding="utf-8", errors="replace")
    parts = [b"$%d\r\n%b\r\n" % (len(raw), raw) for raw in (word.encode() for word in words)]
    try:
        with socket.create_connection(("127.0.0.1", port), _WAIT) as connection:
            connection.sendall(b"*%d\r\n" % len(parts) + b"".join(parts))
            while (reply := reader.gets()) is False:
                if not (data := connection.recv(1 << 16)):
                    return None
                reader.feed(data)
    except OSError:
        return None
    return "\n".join(_lines(reply)).strip()


def _lines(reply: object) -> Iterator[str]:
    if isinstance(reply, list):
        for one in reply:
            yield from _lines(one)
    else:
        yield "" if reply is None else str(reply)


@contextmanager
def running(server: RedisProcess) -> Iterator[RedisProcess]:
    """Start a server, and end it whatever happens."""
    try:
        server.start()
        yield server
    finally:
        server.stop()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 that is its own authority; returns it and its key."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = [program("openssl", "openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    """One Redis that anybody may use; never stop this one."""
    with running(RedisProcess(tmp_path_factory.mktemp("redis"))) as server:
        yield server


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisProcess]:
    """A Redis for one test, which may do with it what it likes."""
    with running(RedisProcess(tmp_path / "own-redis")) as server:
        yield server


@pytest.fixture(scope="session")
def redis_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RedisProcess, Path]]:
    """A Redis behind TLS, and the certificate to trust."""
    folder = tmp_path_factory.mktemp("redis-tls")
    certificate, key = make_certificate(folder)
    options = ["--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-auth-clients", "no"]
    login = ("--tls", "--cacert", str(certificate))
    with running(RedisProcess(folder, *options, login=login, tls=True)) as server:
        yield server, certificate


@pytest.fixture(scope="session")
def redis_acl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    """A Redis with a password for everything, and a user `bus` who may do what the adapter needs, and no more."""
    folder = tmp_path_factory.mktemp("redis-acl")
    login = ("--no-auth-warning", "-a", PASSWORD)
    with running(RedisProcess(folder, "--requirepass", PASSWORD, login=login)) as server:
        rules = ["+publish", "+subscribe", "+unsubscribe", "+ping", "&sockudo*"]
        assert server.cli("ACL", "SETUSER", "bus", "on", f">{PASSWORD}", *rules) == "OK"
        yield server


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Show the logs of the servers that a failed test used."""
    report = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            server = value[0] if isinstance(value, tuple) else value
            if hasattr(server, "log_tail"):
                report.sections.append((f"log of {name}", server.log_tail()))
    return report
