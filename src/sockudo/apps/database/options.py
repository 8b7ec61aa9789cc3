"""What the databases of apps are told. The drivers themselves need extras; this does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

SqlDriver: TypeAlias = Literal["sqlite", "mysql", "pgsql"]
Tls: TypeAlias = Literal["off", "prefer", "require", "verify"]


@dataclass(frozen=True, slots=True)
class SqlOptions:
    """A SQL database.

    Attributes:
        setting: the section that these come from, for error texts.
        database: its name, or the file of SQLite.
        pool_min: connections that are kept.
        pool_max: connections at most.
        tls: `prefer` goes without where the server has none, `verify` checks the server's certificate and name.
        tls_ca: file with the authorities to trust (PEM); None for those of the system.
    """

    driver: SqlDriver
    setting: str
    database: str
    table: str = "applications"
    host: str = ""
    port: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    pool_min: int = 2
    pool_max: int = 10
    tls: Tls = "prefer"
    tls_ca: str | None = None

    @property
    def place(self) -> str:
        """Where it is, for people."""
        if self.driver == "sqlite":
            return f"sqlite file {self.database}"
        return f"{self.driver} at {self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class DynamoDbOptions:
    """Amazon DynamoDB. Without a key and a profile, credentials are those that the AWS libraries find."""

    region: str
    table: str
    # An address may hold a password.
    endpoint_url: str | None = field(default=None, repr=False)
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    profile: str | None = None

    @property
    def place(self) -> str:
        """Where it is, for people."""
        if self.endpoint_url is None:
            return f"dynamodb in {self.region}"
        return f"dynamodb at {urlsplit(self.endpoint_url).netloc.rpartition('@')[2]}"


@dataclass(frozen=True, slots=True)
class ScyllaDbOptions:
    """ScyllaDB or Cassandra.

    Attributes:
        nodes: host and port of some nodes.
        replication_class: of a keyspace that is made.
        replication_factor: of a keyspace that is made.
    """

    nodes: tuple[tuple[str, int], ...]
    keyspace: str
    table: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    replication_class: str = "SimpleStrategy"
    replication_factor: int = 3

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return "scylladb at " + ", ".join(f"{host}:{port}" for host, port in self.nodes)
