"""Makes the client that fits a Redis: one server, the master that sentinels name, or a Redis Cluster."""

from __future__ import annotations

from sockudo.redis_client.base import RedisClient
from sockudo.redis_client.cluster import ClusterRedis
from sockudo.redis_client.options import RedisPlace, RedisTarget, RedisTiming
from sockudo.redis_client.single import SingleRedis


def redis_client(place: RedisPlace, timing: RedisTiming | None = None) -> RedisClient:
    """Return a client that is not started yet."""
    timing = timing or RedisTiming()
    return SingleRedis(place, timing) if isinstance(place, RedisTarget) else ClusterRedis(place, timing)
