"""The bus over a Redis Cluster keeps the contract of every adapter."""

from __future__ import annotations

from itertools import count

import pytest

from sockudo.bus.base import Adapter
from sockudo.bus.redis.cluster import RedisClusterAdapter
from sockudo.bus.redis.options import RedisClusterOptions
from tests.contracts.adapter import AdapterContract
from tests.servers.redis_cluster import RedisClusterProcesses

_numbers = count()


class TestRedisClusterAdapter(AdapterContract):
    @pytest.fixture
    def adapters(self, redis_cluster: RedisClusterProcesses) -> list[Adapter]:
        prefix = f"sockudo_{next(_numbers)}:"
        return [RedisClusterAdapter(RedisClusterOptions(redis_cluster.urls, prefix=prefix)) for _ in range(3)]
