"""The options of the queue in Redis. Values only: the driver needs an extra."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from sockudo.redis_client.options import RedisPlace, RedisTiming


class RedisQueueSection(Protocol):
    """The settings of a queue in Redis that its driver reads, which the sections of the configuration fulfil.

    Attributes:
        concurrency: how many lanes a process takes at a time, in each part of the queue.
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
    # A node that does not renew its lease within this time loses the lane: so long the lane of a killed node waits, and
    # so long an event loop may stall.
    lease: float = 5.0
    # How often a node looks for lanes that others have left; it knows its own pushes at once.
    poll: float = 1.0
    # The most pushes that wait for Redis; the oldest make room.
    max_waiting: int = 100_000
    max_waiting_bytes: int = 64 * 1024 * 1024
    max_job_bytes: int = 1024 * 1024
    # The most failed jobs; the oldest make room.
    max_failed: int = 10_000
    timing: RedisTiming = field(default_factory=RedisTiming)
