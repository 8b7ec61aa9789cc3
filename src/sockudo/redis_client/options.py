"""Where a Redis is and how patient its users are. Values only, so that settings can be turned into them without the
extra.

Rules: whatever may hold a password stays out of every `repr`.
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
    """Where a Redis is: what its URL says (`redis://`, `rediss://`, `unix://`), or the master of some sentinels.

    With sentinels the URL's host and port have no meaning; its scheme, login, database and TLS parameters do.
    `setting` is what an operator has to correct when it cannot be used.
    """

    url: str = field(default="redis://127.0.0.1:6379", repr=False)
    setting: str = "the URL of Redis"
    # Used where the URL names none.
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    db: int = 0
    sentinels: Sentinels | None = None


@dataclass(frozen=True, slots=True)
class RedisNodes:
    """Where a Redis Cluster is: URLs of some of its nodes; any one that answers tells the others."""

    urls: tuple[str, ...] = field(repr=False)
    setting: str = "the nodes of Redis Cluster"
    # Used where a URL names none.
    username: str | None = None
    password: str | None = field(default=None, repr=False)


RedisPlace: TypeAlias = RedisTarget | RedisNodes


@dataclass(frozen=True, slots=True)
class RedisTiming:
    """How patient users of Redis are (seconds), and how much they hold for a server that does not read (bytes)."""

    connect_timeout: float = 5.0
    # Connections are asked for a sign of life this often; those of a bus count as lost after so many times without one.
    probe_interval: float = 2.0
    probes: int = 3
    # How long a command of a store may take, where it does not say so itself.
    answer_timeout: float = 3.0
    max_unsent_bytes: int = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RedisStoreOptions:
    """A store in a Redis or a Redis Cluster. `prefix` is what its keys begin with, before a colon."""

    place: RedisPlace
    prefix: str
    timing: RedisTiming = field(default_factory=RedisTiming)
