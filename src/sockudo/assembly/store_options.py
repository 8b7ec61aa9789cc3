"""Settings -> what the stores in a Redis need to know."""

from __future__ import annotations

from typing import Final

from sockudo.assembly.redis import cluster_login, cluster_nodes, database_sentinels, server_url
from sockudo.config.model import Settings
from sockudo.config.sections.cache import RedisCacheSettings
from sockudo.config.sections.rate_limiter import RedisRateLimiterSettings
from sockudo.errors import ConfigError
from sockudo.redis_client.options import RedisNodes, RedisPlace, RedisStoreOptions, RedisTarget

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


def redis_target(settings: Settings, url: str | None, setting: str) -> RedisTarget:
    """Return the one Redis of a part: that of its own URL, else `database.redis`, perhaps behind sentinels.

    Args:
        setting: the path of the part's own URL.
    """
    database = settings.database.redis
    return RedisTarget(
        url=url or server_url(database),
        setting=f"{setting} or database.redis",
        username=database.username,
        password=database.password,
        db=database.db,
        sentinels=None if url else database_sentinels(database),
    )


def _place(
    settings: Settings, part: str, driver: str, section: RedisCacheSettings | RedisRateLimiterSettings
) -> RedisPlace:
    if driver != "redis-cluster" and not section.cluster_mode:
        return redis_target(settings, section.url_override, f"{part}.redis.url_override")
    database = settings.database.redis
    nodes = cluster_nodes(database)
    if not nodes:
        why = f"{part}.driver redis-cluster" if driver == "redis-cluster" else f"{part}.redis.cluster_mode"
        raise ConfigError([f"{_NODES}: {why} needs the address of at least one node"])
    return RedisNodes(nodes, _NODES, *cluster_login(database))


def _prefix(settings: Settings, own: str | None, name: str) -> str:
    return own if own is not None else f"{settings.database.redis.key_prefix}{name}"
