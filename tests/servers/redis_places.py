"""Every kind of place where a Redis can be, for suites that run against all of them."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Final

import pytest

from sockudo.redis_client.options import RedisNodes, RedisPlace, RedisTarget, Sentinels
from tests.servers.redis_cluster import RedisClusterProcesses
from tests.servers.redis_sentinel import MASTER_NAME, SENTINEL_PASSWORD, SentinelGroup
from tests.servers.redis_server import PASSWORD, RedisProcess

PLACES: Final = ("single", "tls", "user", "sentinels", "cluster")


@pytest.fixture
def unique() -> str:
    """A prefix for keys that no other test has."""
    return f"store:{uuid.uuid4().hex}"


@pytest.fixture
def place(request: pytest.FixtureRequest) -> RedisPlace:
    """The place that the parameter names; its servers are shared, so tests use keys with a prefix of their own."""
    match request.param:
        case "single":
            server: RedisProcess = request.getfixturevalue("redis_server")
            return RedisTarget(server.url, db=3)
        case "tls":
            tls: tuple[RedisProcess, Path] = request.getfixturevalue("redis_tls")
            return RedisTarget(f"rediss://127.0.0.1:{tls[0].port}?ssl_ca_certs={tls[1]}")
        case "user":
            guarded: RedisProcess = request.getfixturevalue("redis_acl")
            guarded.cli("ACL", "SETUSER", "store", "on", f">{PASSWORD}", "+@all", "-@dangerous", "~store:*")
            return RedisTarget(guarded.url, username="store", password=PASSWORD)
        case "sentinels":
            group: SentinelGroup = request.getfixturevalue("shared_sentinel_group")
            return RedisTarget(password=PASSWORD, sentinels=sentinels_of(group))
        case _:
            return nodes_of(request.getfixturevalue("redis_cluster"))


def sentinels_of(group: SentinelGroup) -> Sentinels:
    """Return where the sentinels of a group are, and how to be let in."""
    return Sentinels(group.hosts, MASTER_NAME, password=SENTINEL_PASSWORD)


def nodes_of(cluster: RedisClusterProcesses) -> RedisNodes:
    """Return where a cluster is."""
    return RedisNodes(cluster.urls)
