"""The queue in a Redis Cluster: like the queue in one Redis, in parts that the cluster spreads over its masters.

All keys of a part are in one slot, so each step stays atomic; a lost master delays its own parts only.
"""

from __future__ import annotations

from typing import ClassVar

from sockudo.queues.redis.queue import RedisQueue


class RedisClusterQueue(RedisQueue):
    """Lanes in 16 parts."""

    shards: ClassVar[int] = 16
