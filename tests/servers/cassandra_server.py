"""A real Cassandra, which speaks CQL as ScyllaDB does."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from sockudo.apps.database.options import ScyllaDbOptions
from sockudo.config.sections.scylladb import ScyllaDbSettings
from tests.servers.broker_process import BrokerProcess
from tests.servers.missing import missing
from tests.servers.ports import free_port
from tests.servers.processes import program
from tests.setup.maven import CASSANDRA

# The superuser of a new cluster.
USER: Final = "cassandra"

_SETTINGS: Final = """
cluster_name: tests
num_tokens: 1
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
authenticator: PasswordAuthenticator
authorizer: CassandraAuthorizer
role_manager: CassandraRoleManager
data_file_directories: [{folder}/data]
commitlog_directory: {folder}/commitlog
saved_caches_directory: {folder}/caches
hints_directory: {folder}/hints
cdc_raw_directory: {folder}/cdc
commitlog_sync: periodic
commitlog_sync_period: 10000ms
endpoint_snitch: SimpleSnitch
listen_address: 127.0.0.1
rpc_address: 127.0.0.1
native_transport_port: {port}
storage_port: {storage}
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters: [{{seeds: "127.0.0.1:{storage}"}}]
"""
# Parts of Java that Cassandra reaches into.
_EXPORTS: Final = (
    "java.base/jdk.internal.misc java.base/jdk.internal.ref java.base/sun.nio.ch java.base/java.lang.ref "
    "java.management.rmi/com.sun.jmx.remote.internal.rmi java.rmi/sun.rmi.registry java.rmi/sun.rmi.server "
    "java.sql/java.sql jdk.unsupported/sun.misc"
)
_OPENS: Final = (
    "java.base/java.io java.base/java.lang java.base/java.lang.module java.base/java.lang.reflect java.base/java.net "
    "java.base/java.nio java.base/java.util java.base/java.util.concurrent java.base/java.util.concurrent.atomic "
    "java.base/jdk.internal.loader java.base/jdk.internal.math java.base/jdk.internal.module "
    "java.base/jdk.internal.ref java.base/jdk.internal.reflect java.base/jdk.internal.util.jar "
    "java.base/jdk.internal.vm java.base/sun.nio.ch java.rmi/sun.rmi.transport.tcp "
    "jdk.management/com.sun.management.internal"
)


class CassandraProcess(BrokerProcess):
    """A cluster of one node that wants a password."""

    def __init__(self, folder: Path) -> None:
        if not CASSANDRA.is_complete():
            missing("Cassandra is not there: python -m tests.setup fetches it")
        self.port = free_port()
        settings = folder / "cassandra.yaml"
        settings.write_text(_SETTINGS.format(folder=folder, port=self.port, storage=free_port()), "utf-8")
        command = [program("java", "default-jre-headless"), "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
        command += [word for name in _EXPORTS.split() for word in ("--add-exports", f"{name}=ALL-UNNAMED")]
        command += [word for name in _OPENS.split() for word in ("--add-opens", f"{name}=ALL-UNNAMED")]
        command += [f"-Dcassandra.config=file:{settings}", f"-Dcassandra.storagedir={folder}"]
        command += ["-Dcassandra-foreground=yes", "-Dcassandra.skip_wait_for_gossip_to_settle=0"]
        command += ["-Dcassandra.ring_delay_ms=0", "-Dcassandra.superuser_setup_delay_ms=0"]
        command += ["-cp", f"{CASSANDRA.folder}/*", "org.apache.cassandra.service.CassandraDaemon"]
        super().__init__(command, folder, self._greets)

    @property
    def options(self) -> ScyllaDbOptions:
        """How a store reaches it."""
        nodes = (f"127.0.0.1:{self.port}",)
        return ScyllaDbOptions(ScyllaDbSettings(nodes=nodes, username=USER, password=USER, replication_factor=1))

    def _greets(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), 1) as client:
            # OPTIONS, which is answered with SUPPORTED.
            client.sendall(b"\x04\0\0\0\x05\0\0\0\0")
            if client.recv(9)[4:5] != b"\x06":
                return False
        # The superuser is made after that, once.
        return "Created default superuser role" in self._log.read_text("utf-8", "replace")


@pytest.fixture(scope="session")
def cassandra() -> Iterator[CassandraProcess]:
    """One server for the run; who stops it starts it again."""
    folder = Path(tempfile.mkdtemp(prefix="cassandra-"))
    server = CassandraProcess(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder)
