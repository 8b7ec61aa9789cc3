"""Settings -> the queue in which webhooks wait."""

from __future__ import annotations

from sockudo.clock import Clock
from sockudo.config.model import Settings
from sockudo.queues.base import Queue
from sockudo.queues.memory import MemoryQueue
from sockudo.queues.redis_options import RedisQueueOptions
from sockudo.redis.options import RedisTarget
from sockudo.registry import queue_class


def queue_from_settings(settings: Settings, clock: Clock) -> Queue:
    """Return the queue of the settings, not started. Without a driver (`none`) it is in this process, as in memory.

    Raises:
        MissingExtraError: what the driver needs is not installed.
    """
    driver = settings.queue.driver
    if driver in ("memory", "none"):
        return MemoryQueue(clock)
    section, database = settings.queue.redis, settings.database.redis
    target = RedisTarget(
        url=section.url_override or f"redis://{database.host}:{database.port}",
        setting="queue.redis.url_override or database.redis",
        username=database.username,
        password=database.password,
        db=database.db,
    )
    options = RedisQueueOptions(target, section.prefix or "sockudo_queue:", section.concurrency)
    queue: Queue = queue_class(driver)(clock, options)
    return queue
