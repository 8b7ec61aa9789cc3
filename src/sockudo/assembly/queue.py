"""Makes the queue in which webhooks wait, in the store that the settings ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from sockudo.assembly.drivers import queue_class
from sockudo.config.model import Settings
from sockudo.queues.base import Queue
from sockudo.queues.memory import MemoryQueue
from sockudo.queues.redis.options import RedisQueueOptions
from sockudo.queues.sqs.options import SqsQueueOptions
from sockudo.redis_client.options import RedisTiming
from sockudo.redis_client.places import redis_nodes, redis_target
from sockudo.timing.clock import Clock

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
    queue: Queue = queue_class(driver)(clock, _OPTIONS[driver](settings))
    return queue


def _redis_options(settings: Settings) -> RedisQueueOptions:
    section = settings.queue.redis
    place = redis_target(settings.database.redis, section.url_override, "queue.redis.url_override")
    return RedisQueueOptions(section, place, _prefix(settings, section.prefix))


def _redis_cluster_options(settings: Settings) -> RedisQueueOptions:
    section = settings.queue.redis_cluster
    place = redis_nodes(settings.database.redis, section.nodes, _NODES, "queue.driver redis-cluster")
    timing = RedisTiming(answer_timeout=section.request_timeout_ms / 1000)
    return RedisQueueOptions(section, place, _prefix(settings, section.prefix), timing=timing)


def _sqs_options(settings: Settings) -> SqsQueueOptions:
    return SqsQueueOptions(settings.queue.sqs)


_OPTIONS: Final[Mapping[str, Callable[[Settings], object]]] = {
    "redis": _redis_options,
    "redis-cluster": _redis_cluster_options,
    "sqs": _sqs_options,
}


def _prefix(settings: Settings, own: str | None) -> str:
    return own if own is not None else f"{settings.database.redis.key_prefix}queue:"
