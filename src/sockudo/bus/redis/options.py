"""The options of the Redis drivers of the bus. Values only: settings become options without the extra `redis`.

Rules: no `repr` shows a value that may hold a password.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sockudo.redis_client.options import RedisTarget, RedisTiming


@dataclass(frozen=True, slots=True)
class RedisOptions:
    """A bus over one Redis, perhaps with replicas and sentinels beside it."""

    target: RedisTarget
    # The server to subscribe at, where it is another one, such as a replica.
    subscribe_target: RedisTarget | None = None
    prefix: str = "sockudo_adapter:"
    timing: RedisTiming = field(default_factory=RedisTiming)


@dataclass(frozen=True, slots=True)
class RedisClusterOptions:
    """A bus over a Redis Cluster. `nodes` are URLs; any node that answers names the others."""

    nodes: tuple[str, ...] = field(repr=False)
    setting: str = "the nodes of Redis Cluster"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    prefix: str = "sockudo_cluster:"
    timing: RedisTiming = field(default_factory=RedisTiming)
