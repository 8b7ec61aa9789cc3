"""What the Redis drivers of the bus need to know. Values only, so that settings can be turned into them without the
extra.

Rules: whatever may hold a password stays out of every `repr`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sockudo.redis_client.options import RedisTarget, RedisTiming


@dataclass(frozen=True, slots=True)
class RedisOptions:
    """A bus over one Redis, perhaps with replicas and sentinels beside it."""

    target: RedisTarget
    # Where to subscribe if that is another server, such as a replica.
    subscribe_target: RedisTarget | None = None
    prefix: str = "sockudo_adapter:"
    timing: RedisTiming = field(default_factory=RedisTiming)


@dataclass(frozen=True, slots=True)
class RedisClusterOptions:
    """A bus over a Redis Cluster. `nodes` are URLs; any one that answers tells the others."""

    nodes: tuple[str, ...] = field(repr=False)
    setting: str = "the nodes of Redis Cluster"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    prefix: str = "sockudo_cluster:"
    timing: RedisTiming = field(default_factory=RedisTiming)
