"""The bus over one Redis keeps the contract of every adapter, however it is reached."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from urllib.parse import quote

import pytest

from sockudo.bus.base import Adapter
from sockudo.bus.redis.adapter import RedisAdapter
from sockudo.bus.redis.options import RedisOptions
from sockudo.config.sections.adapter import RedisAdapterSettings
from sockudo.redis_client.options import RedisTarget, Sentinels
from tests.contracts.adapter import AdapterContract
from tests.servers.redis_sentinel import MASTER_NAME, SENTINEL_PASSWORD, SentinelGroup
from tests.servers.redis_server import PASSWORD, RedisProcess

_numbers = count()


def three(target: RedisTarget, subscribe_target: RedisTarget | None = None) -> list[Adapter]:
    """Three adapters on a bus of their own: nobody else has their prefix."""
    section = RedisAdapterSettings(prefix=f"sockudo_{next(_numbers)}:")
    return [RedisAdapter(RedisOptions(section, target, subscribe_target)) for _ in range(3)]


class TestRedisAdapter(AdapterContract):
    @pytest.fixture
    def adapters(self, redis_server: RedisProcess) -> list[Adapter]:
        return three(RedisTarget(redis_server.url))


class TestRedisAdapterOverTls(AdapterContract):
    @pytest.fixture
    def adapters(self, redis_tls: tuple[RedisProcess, Path]) -> list[Adapter]:
        server, certificate = redis_tls
        return three(RedisTarget(f"rediss://127.0.0.1:{server.port}?ssl_ca_certs={quote(str(certificate))}"))


class TestRedisAdapterOfAUserWhoMayDoNoMoreThanItNeeds(AdapterContract):
    @pytest.fixture
    def adapters(self, redis_acl: RedisProcess) -> list[Adapter]:
        return three(RedisTarget(f"redis://bus:{quote(PASSWORD, safe='')}@127.0.0.1:{redis_acl.port}"))


class TestRedisAdapterWithAPasswordBesideTheUrl(AdapterContract):
    @pytest.fixture
    def adapters(self, redis_acl: RedisProcess) -> list[Adapter]:
        return three(RedisTarget(redis_acl.url, password=PASSWORD, db=3))


class TestRedisAdapterWithSentinels(AdapterContract):
    @pytest.fixture
    def adapters(self, shared_sentinel_group: SentinelGroup) -> list[Adapter]:
        sentinels = Sentinels(shared_sentinel_group.hosts, MASTER_NAME, password=SENTINEL_PASSWORD)
        return three(RedisTarget(password=PASSWORD, sentinels=sentinels))


class TestRedisAdapterThatSubscribesElsewhere(AdapterContract):
    @pytest.fixture
    def adapters(self, redis_server: RedisProcess) -> list[Adapter]:
        return three(RedisTarget(redis_server.url), RedisTarget(f"redis://localhost:{redis_server.port}/1"))
