"""What the Redis drivers need to know. Values only, so that settings can be turned into them without the extra.

Rules: whatever may hold a password stays out of every `repr`.
"""

from __future__ import annotations

from dataclasses import dataclass, field


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
class RedisTiming:
    """How patient the drivers are (seconds), and how much they hold for a server that does not read (bytes)."""

    connect_timeout: float = 5.0
    # Both connections are asked for a sign of life this often; after so many times without one they count as lost.
    probe_interval: float = 2.0
    probes: int = 3
    max_unsent_bytes: int = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RedisOptions:
    """A bus over one Redis, perhaps with replicas and sentinels beside it."""

    target: RedisTarget
    # Where to subscribe if that is another server, such as a replica.
    subscribe_target: RedisTarget | None = None
    prefix: str = "sockudo_adapter:"
    timing: RedisTiming = RedisTiming()


@dataclass(frozen=True, slots=True)
class RedisClusterOptions:
    """A bus over a Redis Cluster. `nodes` are URLs; any one that answers tells the others."""

    nodes: tuple[str, ...] = field(repr=False)
    setting: str = "the nodes of Redis Cluster"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    prefix: str = "sockudo_cluster:"
    timing: RedisTiming = RedisTiming()
