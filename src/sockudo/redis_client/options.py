"""Where a Redis is, and how patient its clients are. Values only: settings become options without the extra `redis`.

The section `database.redis` fulfils `RedisSection`: a new setting is declared there, named here, and used.

Rules: no `repr` shows a value that may hold a password.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias


class HostSection(Protocol):
    """Settings of one server: its host, perhaps with a scheme, a login and a port, and its port otherwise."""

    host: str
    port: int


class ClusterSection(Protocol):
    """Settings of a Redis Cluster that differ from those of a single Redis."""

    username: str | None
    password: str | None
    use_tls: bool


class RedisSection(HostSection, Protocol):
    """Settings of the Redis of all parts without an address of their own.

    Attributes:
        name: of the master that the sentinels watch.
    """

    db: int
    username: str | None
    password: str | None
    sentinel_password: str | None
    name: str

    @property
    def sentinels(self) -> Sequence[HostSection]:
        """The sentinels, if there are any; they replace host and port."""

    @property
    def cluster_nodes(self) -> Sequence[HostSection]:
        """Some nodes of a Redis Cluster."""

    @property
    def cluster(self) -> ClusterSection:
        """The rest of a Redis Cluster's settings."""


class RedisStoreSection(Protocol):
    """Settings of a store in a Redis or a Redis Cluster.

    Attributes:
        prefix: the beginning of its keys; None takes that of all stores, and the store's name.
        url_override: its own Redis; None takes that of `database.redis`.
        cluster_mode: whether it is in the Redis Cluster of `database.redis`.
    """

    prefix: str | None
    url_override: str | None
    cluster_mode: bool


@dataclass(frozen=True, slots=True)
class Sentinels:
    """Sentinels that know which server is the master."""

    hosts: tuple[tuple[str, int], ...]
    master_name: str = "mymaster"
    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RedisTarget:
    """Where a Redis is: at its URL (`redis://`, `rediss://`, `unix://`), or where sentinels say that the master is.

    With sentinels the URL's host and port have no meaning; its scheme, login, database and TLS parameters do.
    `setting` names what an operator has to correct if the Redis cannot be used.
    """

    url: str = field(default="redis://127.0.0.1:6379", repr=False)
    setting: str = "the URL of Redis"
    # The login where the URL has none.
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    db: int = 0
    sentinels: Sentinels | None = None


@dataclass(frozen=True, slots=True)
class RedisNodes:
    """Where a Redis Cluster is: URLs of some of its nodes; any node that answers names the others."""

    urls: tuple[str, ...] = field(repr=False)
    setting: str = "the nodes of Redis Cluster"
    # The login where a URL has none.
    username: str | None = None
    password: str | None = field(default=None, repr=False)


RedisPlace: TypeAlias = RedisTarget | RedisNodes


@dataclass(frozen=True, slots=True)
class RedisTiming:
    """How patient clients of Redis are (seconds), and how much they hold for a server that does not read (bytes)."""

    connect_timeout: float = 5.0
    # How often a client asks a server for a sign of life. A bus is lost after this many probes without one.
    probe_interval: float = 2.0
    probes: int = 3
    # How long a command of a store may take, unless it has a time of its own.
    answer_timeout: float = 3.0
    max_unsent_bytes: int = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RedisStoreOptions:
    """A store in a Redis or a Redis Cluster. Its keys begin with `prefix` and a colon."""

    place: RedisPlace
    prefix: str
    timing: RedisTiming = field(default_factory=RedisTiming)
