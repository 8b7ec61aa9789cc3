"""The ways to serve that every scenario runs on, by the names that `--topology` takes."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import pytest

from tests.servers.forge import workers_of
from tests.servers.nats_server import NatsServerProcess
from tests.servers.nodes import Serve, nodes_on, nodes_on_memory, one_node
from tests.servers.redis_cluster import RedisClusterProcesses
from tests.servers.redis_server import RedisProcess

Topology: TypeAlias = Callable[[pytest.FixtureRequest], Serve]


def _redis(server: RedisProcess, prefix: str) -> dict[str, Any]:
    return {"driver": "redis", "redis": {"prefix": prefix, "redis_pub_options": {"url": server.url}}}


def _redis_cluster(servers: RedisClusterProcesses, prefix: str) -> dict[str, Any]:
    return {"driver": "redis-cluster", "cluster": {"prefix": prefix, "nodes": servers.urls}}


def _nats(server: NatsServerProcess, prefix: str) -> dict[str, Any]:
    return {"driver": "nats", "nats": {"prefix": prefix, "servers": [server.url]}}


# Driver -> the fixture of its broker, and the settings of `adapter` for that broker and a prefix.
BROKERS: Final[Mapping[str, tuple[str, Callable[[Any, str], dict[str, Any]]]]] = {
    "redis": ("redis_server", _redis),
    "redis-cluster": ("redis_cluster", _redis_cluster),
    "nats": ("nats_server", _nats),
}


def adapter_settings(driver: str, request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the settings of `adapter` for a bus on a real broker that no other test hears."""
    fixture, make = BROKERS[driver]
    return make(request.getfixturevalue(fixture), f"test-{uuid.uuid4().hex}:")


def _on_broker(driver: str) -> Topology:
    return lambda request: nodes_on(adapter_settings(driver, request))


TOPOLOGIES: Final[Mapping[str, Topology]] = {
    "one": lambda _: one_node,
    "memory": lambda _: nodes_on_memory(),
    **{driver: _on_broker(driver) for driver in BROKERS},
    "workers": lambda request: workers_of(request.getfixturevalue("forge")),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let scenarios run on some topologies only."""
    parser.addoption(
        "--topology",
        action="append",
        choices=tuple(TOPOLOGIES),
        help="run what runs on several topologies on this one only; may be given more than once",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what runs on a topology that was not asked for."""
    wanted: list[str] | None = config.getoption("--topology")
    if not wanted:
        return
    left_out = [item for item in items if _topology(item) not in (None, *wanted)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def _topology(item: pytest.Item) -> str | None:
    """Return the topology that a test runs on, or None where it does not matter to it."""
    call = getattr(item, "callspec", None)
    return None if call is None else call.params.get("serve")
