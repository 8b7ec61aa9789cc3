"""Where a Redis is, and how patient its clients are. Values only: settings become options without the extra `redis`.

Rules: no `repr` shows a value that may hold a password.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


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
