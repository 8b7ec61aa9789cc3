"""The bus over a Redis Cluster keeps the contract of every adapter."""

from __future__ import annotations

from itertools import count

import pytest

from sockudo.cluster.base import Adapter
from sockudo.cluster.redis_cluster import RedisClusterAdapter
from sockudo.cluster.redis_options import RedisClusterOptions
from tests.contracts.adapter import AdapterContract
from tests.support.redis_cluster import RedisClusterProcesses

_numbers = count()


class TestRedisClusterAdapter(AdapterContract):
    @pytest.fixture
    def adapters(self, redis_cluster: RedisClusterProcesses) -> list[Adapter]:
        prefix = f"sockudo_{next(_numbers)}:"
        return [RedisClusterAdapter(RedisClusterOptions(redis_cluster.urls, prefix=prefix)) for _ in range(3)]
