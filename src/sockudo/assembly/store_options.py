"""Reads from the settings where the stores in a Redis are, and how their keys begin."""

from __future__ import annotations

from typing import Final

from sockudo.config.model import Settings
from sockudo.redis_client.options import RedisPlace, RedisStoreOptions, RedisStoreSection
from sockudo.redis_client.places import redis_nodes, redis_target

_NODES: Final = "database.redis.cluster_nodes"


def cache_options(settings: Settings) -> RedisStoreOptions:
    """Return the options of `cache.driver` redis and redis-cluster.

    Raises:
        ConfigError: a cluster has no nodes.
    """
    cache = settings.cache
    prefix = _prefix(settings, cache.redis.prefix, "cache:")
    return RedisStoreOptions(_place(settings, "cache", cache.driver, cache.redis), prefix)


def rate_limiter_options(settings: Settings) -> RedisStoreOptions:
    """Return the options of `rate_limiter.driver` redis and redis-cluster.

    Raises:
        ConfigError: a cluster has no nodes.
    """
    limiter = settings.rate_limiter
    prefix = _prefix(settings, limiter.redis.prefix, "rl_http:")
    return RedisStoreOptions(_place(settings, "rate_limiter", limiter.driver, limiter.redis), prefix)


def _place(settings: Settings, part: str, driver: str, section: RedisStoreSection) -> RedisPlace:
    database = settings.database.redis
    if driver == "redis-cluster" or section.cluster_mode:
        reason = f"{part}.driver redis-cluster" if driver == "redis-cluster" else f"{part}.redis.cluster_mode"
        return redis_nodes(database, (), _NODES, reason)
    return redis_target(database, section.url_override, f"{part}.redis.url_override")


def _prefix(settings: Settings, own: str | None, name: str) -> str:
    return own if own is not None else f"{settings.database.redis.key_prefix}{name}"
