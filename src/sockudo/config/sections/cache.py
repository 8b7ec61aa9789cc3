"""`cache`: the store of the last events of cache channels."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sockudo.config.kinds.addresses import OptionalRedisUrl
from sockudo.config.kinds.section import Section, env
from sockudo.config.kinds.values import Count, Flag, OneOf, OptionalWords, Positive


class MemoryCacheSettings(Section):
    """The cache in this process."""

    ttl: Annotated[Count, env("CACHE_TTL_SECONDS")] = Field(
        default=300,
        description="Accepted as the original does, and without effect: a cached event lives for "
        "channel_limits.cache_ttl. CACHE_TTL_SECONDS also sets app_manager.cache.ttl.",
    )
    cleanup_interval: Annotated[Positive, env("CACHE_CLEANUP_INTERVAL")] = Field(
        default=60, description="How often expired entries are removed (seconds)."
    )
    max_capacity: Annotated[Positive, env("CACHE_MAX_CAPACITY")] = Field(
        default=10000, description="The most entries; the least recently used make room."
    )
    max_memory_mb: Annotated[Positive, env("CACHE_MAX_MEMORY_MB")] = Field(
        default=256,
        description="The most memory of all entries (MB); the least recently used make room. It keeps no larger entry.",
    )


class RedisCacheSettings(Section):
    """The cache in a Redis (driver `redis`) or a Redis Cluster (driver `redis-cluster`)."""

    prefix: Annotated[OptionalWords, env("CACHE_REDIS_PREFIX")] = Field(
        default="sockudo_cache:",
        description="Beginning of the keys; null takes database.redis.key_prefix and `cache:`.",
    )
    # An address may hold a password.
    url_override: Annotated[OptionalRedisUrl, env("REDIS_URL", "CACHE_REDIS_URL")] = Field(
        default=None, repr=False, description="`redis://` or `rediss://` (TLS); null takes database.redis."
    )
    cluster_mode: Flag = Field(
        default=False, description="Use the Redis Cluster of database.redis.cluster_nodes instead."
    )


class CacheSettings(Section):
    """The store of the last events of cache channels."""

    driver: Annotated[
        Literal["memory", "redis", "redis-cluster", "none"],
        OneOf(("memory", "redis", "redis-cluster", "none")),
        env("CACHE_DRIVER"),
    ] = Field(default="memory", description="Which store is the cache; none switches it off.")
    memory: MemoryCacheSettings = Field(default_factory=MemoryCacheSettings, description="The cache in this process.")
    redis: RedisCacheSettings = Field(
        default_factory=RedisCacheSettings, description="The cache in a Redis or a Redis Cluster."
    )
