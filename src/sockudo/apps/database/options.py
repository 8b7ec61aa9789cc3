"""The settings that the databases of apps read. The drivers themselves need extras; this module does not.

A section here names the settings that a driver reads. The sections of the configuration fulfil it, so a new setting is
declared there, named here and used in the driver.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias
from urllib.parse import urlsplit

SqlDriver: TypeAlias = Literal["mysql", "pgsql"]
Tls: TypeAlias = Literal["off", "prefer", "require", "verify"]

_SETTINGS: Final = {"mysql": "database.mysql", "pgsql": "database.postgres"}
_CQL_PORT: Final = 9042


class SqlSection(Protocol):
    """Settings of a SQL server.

    Attributes:
        tls: `prefer` connects without TLS if the server has none, `verify` checks the server's certificate and name.
        tls_ca: file with the authorities to trust (PEM); None for those of the system.
    """

    host: str
    port: int
    username: str
    password: str
    database: str
    table_name: str
    tls: Tls
    tls_ca: str | None


class SqliteSection(Protocol):
    """Settings of a SQLite file."""

    path: str
    table_name: str


class DynamoDbSection(Protocol):
    """Settings of Amazon DynamoDB. Without a key and a profile, credentials are those that the AWS libraries find."""

    region: str
    table_name: str
    endpoint_url: str | None
    aws_access_key_id: str | None
    aws_secret_access_key: str | None
    aws_session_token: str | None
    aws_profile_name: str | None


class ScyllaDbSection(Protocol):
    """Settings of ScyllaDB or Cassandra.

    Attributes:
        nodes: some nodes, each `host:port` or a host.
        replication_class: of a new keyspace.
        replication_factor: of a new keyspace.
    """

    nodes: tuple[str, ...]
    keyspace: str
    table_name: str
    username: str | None
    password: str | None
    replication_class: str
    replication_factor: int


@dataclass(frozen=True, slots=True)
class SqlOptions:
    """A SQL server.

    Attributes:
        pool_min: the number of connections that stay open.
        pool_max: the most connections.
    """

    driver: SqlDriver
    section: SqlSection
    pool_min: int = 2
    pool_max: int = 10

    @property
    def setting(self) -> str:
        """The path of the section, for error texts."""
        return _SETTINGS[self.driver]

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"{self.driver} at {self.section.host}:{self.section.port}"


@dataclass(frozen=True, slots=True)
class SqliteOptions:
    """A SQLite file, which the driver opens for each query."""

    section: SqliteSection
    driver: Literal["sqlite"] = "sqlite"
    setting: str = "database.sqlite"
    pool_max: int = 1

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"sqlite file {self.section.path}"


@dataclass(frozen=True, slots=True)
class DynamoDbOptions:
    """Amazon DynamoDB."""

    section: DynamoDbSection

    @property
    def place(self) -> str:
        """Where it is, for people."""
        section = self.section
        if section.endpoint_url is None:
            return f"dynamodb in {section.region}"
        # An address may hold a password.
        return f"dynamodb at {urlsplit(section.endpoint_url).netloc.rpartition('@')[2]}"


@dataclass(frozen=True, slots=True)
class ScyllaDbOptions:
    """ScyllaDB or Cassandra."""

    section: ScyllaDbSection

    @property
    def nodes(self) -> tuple[tuple[str, int], ...]:
        """Host and port of some nodes."""
        return tuple(_host_and_port(node) for node in self.section.nodes)

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return "scylladb at " + ", ".join(f"{host}:{port}" for host, port in self.nodes)


def _host_and_port(node: str) -> tuple[str, int]:
    host, colon, port = node.rpartition(":")
    if not colon or (node.count(":") > 1 and not host.endswith("]")):
        return node.strip("[]"), _CQL_PORT
    return host.strip("[]"), int(port)
