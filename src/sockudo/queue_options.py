"""Settings -> the queue in which webhooks wait."""

from __future__ import annotations

from typing import Final

from sockudo.clock import Clock
from sockudo.config.model import Settings
from sockudo.database_redis import cluster_nodes
from sockudo.errors import ConfigError
from sockudo.queues.base import Queue
from sockudo.queues.memory import MemoryQueue
from sockudo.queues.redis_options import RedisQueueOptions
from sockudo.redis.options import RedisNodes, RedisTiming
from sockudo.registry import queue_class
from sockudo.store_options import redis_target

_NODES: Final = "queue.redis_cluster.nodes or database.redis.cluster_nodes"


def queue_from_settings(settings: Settings, clock: Clock) -> Queue:
    """Return the queue of the settings, not started. Without a driver (`none`) it is in this process, as in memory.

    Raises:
        ConfigError: a cluster has no nodes.
        MissingExtraError: what the driver needs is not installed.
    """
    driver = settings.queue.driver
    if driver in ("memory", "none"):
        return MemoryQueue(clock)
    if driver == "redis" and settings.queue.redis.cluster_mode:
        driver = "redis-cluster"
    options = _redis_options(settings) if driver == "redis" else _redis_cluster_options(settings)
    queue: Queue = queue_class(driver)(clock, options)
    return queue


def _redis_options(settings: Settings) -> RedisQueueOptions:
    section = settings.queue.redis
    place = redis_target(settings, section.url_override, "queue.redis.url_override")
    return RedisQueueOptions(place, _prefix(settings, section.prefix), section.concurrency)


def _redis_cluster_options(settings: Settings) -> RedisQueueOptions:
    section, database = settings.queue.redis_cluster, settings.database.redis
    nodes = cluster_nodes(database, section.nodes)
    if not nodes:
        raise ConfigError([f"{_NODES}: queue.driver redis-cluster needs the address of at least one node"])
    place = RedisNodes(nodes, _NODES, database.username, database.password)
    timing = RedisTiming(answer_timeout=section.request_timeout_ms / 1000)
    return RedisQueueOptions(place, _prefix(settings, section.prefix), section.concurrency, timing=timing)


def _prefix(settings: Settings, own: str | None) -> str:
    return own if own is not None else f"{settings.database.redis.key_prefix}queue:"
