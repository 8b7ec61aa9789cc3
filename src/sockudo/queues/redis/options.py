"""What the queue in Redis needs to know. Values only: the driver needs an extra."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from sockudo.redis_client.options import RedisPlace, RedisTiming


class RedisQueueSection(Protocol):
    """The settings of a queue in Redis that its driver reads, which the sections of the configuration fulfil.

    Attributes:
        concurrency: how many lanes are taken at a time, in each part of the queue.
    """

    concurrency: int


@dataclass(frozen=True, slots=True)
class RedisQueueOptions:
    """A queue in a Redis or a Redis Cluster. Times are in seconds.

    All nodes that share a queue have the same `prefix`, and the same kind of Redis.
    """

    section: RedisQueueSection
    place: RedisPlace
    prefix: str = "sockudo_queue:"
    # A node that does not renew its lease on a lane within this time loses it: that is how long the lane of a node that
    # was killed waits, and how long an event loop may be held up.
    lease: float = 5.0
    # How often a node looks for what others have left; what it pushed itself it knows at once.
    poll: float = 1.0
    # Pushes that wait for Redis; the oldest make room.
    max_waiting: int = 100_000
    max_waiting_bytes: int = 64 * 1024 * 1024
    max_job_bytes: int = 1024 * 1024
    # Failed jobs that are kept; the oldest make room.
    max_failed: int = 10_000
    timing: RedisTiming = field(default_factory=RedisTiming)
