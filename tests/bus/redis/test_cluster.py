"""The bus over a Redis Cluster keeps the contract of every adapter."""

from __future__ import annotations

from itertools import count

import pytest

from sockudo.bus.base import Adapter
from sockudo.bus.redis.cluster import RedisClusterAdapter
from sockudo.bus.redis.options import RedisClusterOptions
from sockudo.config.sections.adapter import RedisClusterAdapterSettings
from sockudo.redis_client.options import RedisNodes
from tests.contracts.adapter import AdapterContract
from tests.servers.redis_cluster import RedisClusterProcesses

_numbers = count()


class TestRedisClusterAdapter(AdapterContract):
    @pytest.fixture
    def adapters(self, redis_cluster: RedisClusterProcesses) -> list[Adapter]:
        section = RedisClusterAdapterSettings(prefix=f"sockudo_{next(_numbers)}:")
        options = RedisClusterOptions(section, RedisNodes(redis_cluster.urls))
        return [RedisClusterAdapter(options) for _ in range(3)]
