"""A real Kafka broker."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.servers.broker_process import BrokerProcess, find_program
from tests.servers.certificates import make_certificate
from tests.servers.missing import missing
from tests.servers.ports import free_port
from tests.setup import maven

USER: Final = "bus"
STRANGER: Final = "stranger"
PASSWORD: Final = "s3cret with ü and @:/"
_HINT: Final = "run `python -m tests.setup`"
_PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
# ApiVersions, which a broker answers before any login.
_QUESTION: Final = b"\x00\x00\x00\x0a\x00\x12\x00\x00\x00\x00\x00\x01\xff\xff"


class KafkaServerProcess(BrokerProcess):
    """A broker that is its own controller, with a folder and ports of its own; nobody but the tests reaches it.

    It listens in four ways: as it is, with TLS and certificates of clients, with a login, and with both. The login is
    `USER` and `PASSWORD`, with any mechanism; with PLAIN there is also `STRANGER`, who may do nothing. With a `first`
    broker, this is a second one of the same cluster.
    """

    def __init__(self, folder: Path, first: KafkaServerProcess | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port, self.tls_port, self.login_port, self.tls_login_port = (free_port() for _ in range(4))
        self.certificate = make_certificate(folder)
        self._controller: int = free_port() if first is None else first._controller
        self._cluster = base64.urlsafe_b64encode(os.urandom(16)).rstrip(b"=").decode().replace("-", "A")
        if first is not None:
            self._cluster = first._cluster
        self._jars = maven.KAFKA.folder
        if not maven.KAFKA.is_complete():
            missing(f"Kafka is missing: {_HINT}")
        self._properties = self._write_properties(folder, first is None)
        # What a short life needs: little memory, and no time spent on making code fast.
        java = [find_program("java", _HINT), "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        java += [f"-Dlog4j2.configurationFile={self._write_log_settings(folder)}"]
        self._java = [*java, "-cp", f"{self._jars}/*"]
        command = [*self._java, *_archive(self._jars), "kafka.Kafka", str(self._properties)]
        super().__init__(command, folder, self._answers_questions)

    @property
    def broker(self) -> str:
        """The address for clients without TLS and login."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and return when it answers."""
        if not (self._folder / "data" / "meta.properties").exists():
            self._format()
        super().start()

    def stop(self) -> None:
        """End it in order, and keep its classes as its Java has loaded them: the next one starts in half the time."""
        super().stop()
        made = self._jars / f"classes-{os.getpid()}.jsa"
        if made.exists():
            made.replace(self._jars / "classes.jsa")

    def _format(self) -> None:
        command = [*self._java, "kafka.tools.StorageTool", "format", "--config", str(self._properties)]
        command += ["--cluster-id", self._cluster]
        for bits in (256, 512):
            command += ["--add-scram", f"SCRAM-SHA-{bits}=[name={USER},password={PASSWORD}]"]
        done = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def _write_properties(self, folder: Path, is_first: bool) -> Path:
        store = folder / "store.pem"
        store.write_text(self.certificate.key.read_text() + self.certificate.cert.read_text())
        listeners = {"PLAINTEXT": self.port, "SSL": self.tls_port}
        listeners |= {"SASL_PLAINTEXT": self.login_port, "SASL_SSL": self.tls_login_port}
        if is_first:
            listeners["CONTROLLER"] = self._controller
        lines = [
            f"process.roles={'broker,controller' if is_first else 'broker'}",
            f"node.id={1 if is_first else 2}",
            f"controller.quorum.voters=1@127.0.0.1:{self._controller}",
            "controller.listener.names=CONTROLLER",
            "listeners=" + ",".join(f"{name}://127.0.0.1:{port}" for name, port in listeners.items()),
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT," + ",".join(f"{name}:{name}" for name in _PROTOCOLS),
            f"log.dirs={folder / 'data'}",
            "ssl.keystore.type=PEM",
            f"ssl.keystore.location={store}",
            "ssl.truststore.type=PEM",
            f"ssl.truststore.location={self.certificate.cert}",
            "listener.name.ssl.ssl.client.auth=required",
            "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            f"super.users=User:ANONYMOUS;User:CN=sockudo tests;User:{USER}",
            # A broker that died is noted, and may come back, at once.
            "broker.session.timeout.ms=1000",
            "broker.heartbeat.interval.ms=200",
            "controller.quorum.election.timeout.ms=200",
            "num.network.threads=1",
            "num.io.threads=2",
            *(line for name in _PROTOCOLS if name.startswith("SASL") for line in _logins(name.lower())),
        ]
        path = folder / "server.properties"
        path.write_text("\n".join(lines), "ascii")
        return path

    @staticmethod
    def _write_log_settings(folder: Path) -> Path:
        path = folder / "log4j2.properties"
        path.write_text(
            "rootLogger.level=warn\nrootLogger.appenderRef.out.ref=out\n"
            "appender.out.type=Console\nappender.out.name=out\n"
            "appender.out.layout.type=PatternLayout\nappender.out.layout.pattern=%d %p %c{1} %m%n\n"
        )
        return path

    def _answers_questions(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), 1) as client:
            client.sendall(_QUESTION)
            return len(client.recv(4)) == 4


def _logins(listener: str) -> Iterator[str]:
    # Properties are ASCII.
    password = "".join(char if char.isascii() else f"\\u{ord(char):04x}" for char in PASSWORD)
    users = " ".join(f'user_{name}="{password}"' for name in (USER, STRANGER))
    module = "org.apache.kafka.common.security"
    yield f"listener.name.{listener}.plain.sasl.jaas.config={module}.plain.PlainLoginModule required {users};"
    for bits in (256, 512):
        scram = f"listener.name.{listener}.scram-sha-{bits}.sasl.jaas.config"
        yield f"{scram}={module}.scram.ScramLoginModule required;"


def _archive(folder: Path) -> list[str]:
    made = folder / "classes.jsa"
    if made.exists():
        return [f"-XX:SharedArchiveFile={made}", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"]
    return [f"-XX:ArchiveClassesAtExit={folder}/classes-{os.getpid()}.jsa", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"]


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServerProcess]:
    """A Kafka that anybody may use; tests leave it running as it is."""
    server = KafkaServerProcess(tmp_path_factory.mktemp("kafka"))
    try:
        server.start()
        yield server
    finally:
        server.stop()
