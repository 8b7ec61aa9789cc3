"""Stores that the nodes of a scenario share: its cache and its rate limiter in a Redis or a Redis Cluster."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, TypeAlias

import pytest

from tests.servers.nodes import Nodes, Serve
from tests.servers.redis_cluster import RedisClusterProcesses
from tests.servers.redis_server import RedisProcess
from tests.servers.topologies import TOPOLOGIES

Sections: TypeAlias = Mapping[str, Mapping[str, Any]]


def in_redis(server: RedisProcess) -> Sections:
    """Return the sections for stores in one Redis, with keys that no other scenario has."""
    return _sections("redis", {"url_override": server.url})


def in_redis_cluster(servers: RedisClusterProcesses) -> Sections:
    """Return the sections for stores in a Redis Cluster, with keys that no other scenario has."""
    nodes = [{"host": "127.0.0.1", "port": node.port} for node in servers.nodes[:3]]
    return _sections("redis-cluster", {}) | {"database": {"redis": {"cluster_nodes": nodes}}}


def _sections(driver: str, place: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    prefix = f"test-{uuid.uuid4().hex}:"
    return {
        "cache": {"driver": driver, "redis": {"prefix": f"{prefix}cache", **place}},
        "rate_limiter": {"driver": driver, "redis": {"prefix": f"{prefix}rl", **place}},
    }


# Driver -> the fixture of the servers, and what makes the sections for them.
STORES: Final[Mapping[str, tuple[str, Callable[[Any], Sections]]]] = {
    "redis": ("redis_server", in_redis),
    "redis-cluster": ("redis_cluster", in_redis_cluster),
}


def sharing(serve: Serve, sections: Sections) -> Serve:
    """Return what serves with stores that all nodes share; what a scenario says of a section comes on top of it."""

    @contextlib.asynccontextmanager
    async def serve_sharing(*apps: Mapping[str, Any], speed: float = 1, **changes: Any) -> AsyncIterator[Nodes]:
        merged = {name: {**section, **changes.pop(name, {})} for name, section in sections.items()}
        async with serve(*apps, speed=speed, **merged, **changes) as nodes:
            yield nodes

    return serve_sharing


# Name -> how the nodes reach each other, and where their stores are. With the bus in memory what goes over it is there
# before anything is in a store; the others have what operators have.
SHARING: Final[Mapping[str, tuple[str, str]]] = {
    "memory, stores in redis": ("memory", "redis"),
    "redis, stores in redis": ("redis", "redis"),
    "redis-cluster, stores in redis-cluster": ("redis-cluster", "redis-cluster"),
    "workers, stores in redis": ("workers", "redis"),
    "workers, stores in redis-cluster": ("workers", "redis-cluster"),
}


def serve_sharing(name: str, request: pytest.FixtureRequest) -> Serve:
    """Return what serves as one of `SHARING`."""
    topology, driver = SHARING[name]
    fixture, make = STORES[driver]
    return sharing(TOPOLOGIES[topology](request), make(request.getfixturevalue(fixture)))
