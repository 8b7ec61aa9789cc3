"""The ways to serve that every scenario runs on, by the names that `--topology` takes."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import pytest

from tests.servers.forge import workers_of
from tests.servers.kafka_server import KafkaServerProcess
from tests.servers.nats_server import NatsServerProcess
from tests.servers.nodes import Serve, nodes_on, nodes_on_memory, one_node
from tests.servers.rabbitmq_server import RabbitServerProcess
from tests.servers.redis_cluster import RedisClusterProcesses
from tests.servers.redis_server import RedisProcess

Topology: TypeAlias = Callable[[pytest.FixtureRequest], Serve]


def _redis(server: RedisProcess, prefix: str) -> dict[str, Any]:
    return {"driver": "redis", "redis": {"prefix": prefix, "redis_pub_options": {"url": server.url}}}


def _redis_cluster(servers: RedisClusterProcesses, prefix: str) -> dict[str, Any]:
    return {"driver": "redis-cluster", "cluster": {"prefix": prefix, "nodes": servers.urls}}


def _nats(server: NatsServerProcess, prefix: str) -> dict[str, Any]:
    return {"driver": "nats", "nats": {"prefix": prefix, "servers": [server.url]}}


def _rabbitmq(server: RabbitServerProcess, prefix: str) -> dict[str, Any]:
    return {"driver": "rabbitmq", "rabbitmq": {"prefix": prefix, "url": server.url}}


def _kafka(server: KafkaServerProcess, prefix: str) -> dict[str, Any]:
    return {"driver": "kafka", "kafka": {"prefix": prefix, "brokers": [server.broker], "partitions": 2}}


# Driver -> the fixture of its broker, and the settings of `adapter` for that broker and a prefix.
BROKERS: Final[Mapping[str, tuple[str, Callable[[Any, str], dict[str, Any]]]]] = {
    "redis": ("redis_server", _redis),
    "redis-cluster": ("redis_cluster", _redis_cluster),
    "nats": ("nats_server", _nats),
    "rabbitmq": ("rabbitmq_server", _rabbitmq),
    "kafka": ("kafka_server", _kafka),
}


def adapter_settings(driver: str, request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the settings of `adapter` for a bus on a real broker that no other test hears."""
    fixture, make = BROKERS[driver]
    return make(request.getfixturevalue(fixture), f"test-{uuid.uuid4().hex}")


def _on_broker(driver: str) -> Topology:
    return lambda request: nodes_on(adapter_settings(driver, request))


TOPOLOGIES: Final[Mapping[str, Topology]] = {
    "one": lambda _: one_node,
    "memory": lambda _: nodes_on_memory(),
    **{driver: _on_broker(driver) for driver in BROKERS},
    "workers": lambda request: workers_of(request.getfixturevalue("forge")),
}


# Where what nodes tell each other changes nothing, a scenario runs on these.
_ALWAYS: Final = ("one", "memory", "redis", "workers")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let scenarios run on some topologies only, or all of them on all."""
    parser.addoption(
        "--topology",
        action="append",
        choices=tuple(TOPOLOGIES),
        help="run what runs on several topologies on this one only; may be given more than once",
    )
    parser.addoption(
        "--every-topology",
        action="store_true",
        help="run every scenario on every topology, also those that are not marked so",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what runs on a topology that was not asked for."""
    chosen: list[str] = config.getoption("--topology") or []
    everything: bool = config.getoption("--every-topology")
    left_out = [
        item for item in items if not is_wanted(_topology(item), chosen, everywhere=everything or _is_marked(item))
    ]
    config.hook.pytest_deselected(items=left_out)
    gone = set(left_out)
    items[:] = [item for item in items if item not in gone]


def is_wanted(topology: str | None, chosen: Sequence[str], *, everywhere: bool) -> bool:
    """Tell whether to run a test on a topology, which is None for a test without one; some run `everywhere`."""
    if topology is None:
        return True
    if chosen:
        return topology in chosen
    return everywhere or topology in _ALWAYS or topology not in TOPOLOGIES


def _is_marked(item: pytest.Item) -> bool:
    return item.get_closest_marker("every_topology") is not None


def _topology(item: pytest.Item) -> str | None:
    """Return the topology that a test runs on, or None where it does not matter to it."""
    call = getattr(item, "callspec", None)
    return None if call is None else call.params.get("serve")
