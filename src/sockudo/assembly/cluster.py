"""Settings -> the adapter they ask for, and the times of the cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from sockudo.assembly.drivers import load_driver
from sockudo.assembly.redis import cluster_login, cluster_nodes, database_sentinels, host_and_port, server_url
from sockudo.bus.base import Adapter
from sockudo.bus.redis.options import RedisClusterOptions, RedisOptions
from sockudo.cluster.times import ClusterTimes
from sockudo.config.model import Settings
from sockudo.config.sections.adapter import RedisConnectionOptions
from sockudo.config.sections.database import RedisDatabaseSettings
from sockudo.errors import ConfigError
from sockudo.redis_client.options import RedisTarget, RedisTiming, Sentinels

Bus: TypeAlias = tuple[Adapter | None, ClusterTimes]

_PUB: Final = "adapter.redis.redis_pub_options.url or database.redis"
_SUB: Final = "adapter.redis.redis_sub_options.url or database.redis"
_NODES: Final = "adapter.cluster.nodes or database.redis.cluster_nodes"
# A node that is never taken for dead by its silence.
_NEVER: Final = float("inf")
# More often Redis is not asked for a sign of life, however short the node time-out is (seconds).
_SHORTEST_PROBE: Final = 0.1


def bus_from_settings(settings: Settings) -> Bus:
    """Return the adapter of the settings, not started, or None for a node that is alone; and the cluster's times.

    Raises:
        ConfigError: the driver lacks a setting.
        MissingExtraError: what the driver needs is not installed.
    """
    health = settings.adapter.cluster_health
    times = ClusterTimes(
        heartbeat_interval=health.heartbeat_interval_ms / 1000,
        node_timeout=health.node_timeout_ms / 1000 if health.enabled else _NEVER,
    )
    return _adapter(settings), times


def _adapter(settings: Settings) -> Adapter | None:
    driver = settings.adapter.driver
    if driver == "local":
        return None
    if driver == "redis" and settings.adapter.redis.cluster_mode:
        driver = "redis-cluster"
    adapter: Adapter = adapter_class(driver)(ADAPTERS[driver].options(settings))
    return adapter


def adapter_class(driver: str) -> Any:
    """Return the class of an adapter; its constructor takes the options of its driver.

    Raises:
        MissingExtraError: what the driver needs is not installed.
    """
    row = ADAPTERS[driver]
    return load_driver(f"adapter.driver {driver}", row.extra or driver, row.class_path)


def redis_options(settings: Settings) -> RedisOptions:
    """Return the options of the driver `redis`."""
    section, database = settings.adapter.redis, settings.database.redis
    publishing = section.redis_pub_options
    target = _target(publishing, publishing, database, _PUB)
    subscribing = _target(section.redis_sub_options, publishing, database, _SUB)
    is_same = (subscribing.url, subscribing.password, subscribing.sentinels) == (
        target.url,
        target.password,
        target.sentinels,
    )
    timing = _redis_timing(settings, section.requests_timeout)
    return RedisOptions(target, None if is_same else subscribing, section.prefix, timing)


def redis_cluster_options(settings: Settings) -> RedisClusterOptions:
    """Return the options of the driver `redis-cluster`."""
    section, database = settings.adapter.cluster, settings.database.redis
    nodes = cluster_nodes(database, section.nodes)
    if not nodes:
        raise ConfigError([f"{_NODES}: adapter.driver redis-cluster needs the address of at least one node"])
    timing = _redis_timing(settings, section.request_timeout_ms)
    return RedisClusterOptions(nodes, _NODES, *cluster_login(database), section.prefix, timing)


def _redis_timing(settings: Settings, connect_timeout_ms: int) -> RedisTiming:
    """Return how patient the driver is: a node notices a silent Redis no later than the others miss that node."""
    usual, health = RedisTiming(), settings.adapter.cluster_health
    interval = usual.probe_interval
    if health.enabled:
        interval = min(interval, max(_SHORTEST_PROBE, health.node_timeout_ms / 1000 / usual.probes))
    return RedisTiming(connect_timeout=connect_timeout_ms / 1000, probe_interval=interval)


def _target(
    own: RedisConnectionOptions, other: RedisConnectionOptions, database: RedisDatabaseSettings, setting: str
) -> RedisTarget:
    """Return where a connection goes: by its own options, else by the other connection's, else by `database.redis`."""
    url = own.url or other.url
    return RedisTarget(
        url=url or server_url(database),
        setting=setting,
        username=database.username,
        password=own.password or other.password or database.password,
        db=database.db,
        sentinels=_sentinels(own) or _sentinels(other) or (None if url else database_sentinels(database)),
    )


def _sentinels(options: RedisConnectionOptions) -> Sentinels | None:
    sentinel = options.sentinel
    if sentinel is None or not sentinel.hosts:
        return None
    hosts = tuple(host_and_port(host, 26379) for host in sentinel.hosts)
    return Sentinels(hosts, sentinel.master_name, password=sentinel.password)


class AdapterDriver(NamedTuple):
    """A way for nodes to reach each other: a folder of `bus/`, a section of the settings, and a row below.

    Attributes:
        class_path: the module and the class of the adapter, which takes the options.
        options: what the adapter reads of the settings; most adapters read their own section.
        extra: what to install for it, where it is not called like the driver.
    """

    class_path: str
    options: Callable[[Settings], object]
    extra: str | None = None


ADAPTERS: Final[Mapping[str, AdapterDriver]] = {
    "redis": AdapterDriver("sockudo.bus.redis.adapter:RedisAdapter", redis_options),
    "redis-cluster": AdapterDriver("sockudo.bus.redis.cluster:RedisClusterAdapter", redis_cluster_options, "redis"),
    "nats": AdapterDriver("sockudo.bus.nats.adapter:NatsAdapter", lambda settings: settings.adapter.nats),
    "rabbitmq": AdapterDriver("sockudo.bus.rabbitmq.adapter:RabbitAdapter", lambda settings: settings.adapter.rabbitmq),
    "kafka": AdapterDriver("sockudo.bus.kafka.adapter:KafkaAdapter", lambda settings: settings.adapter.kafka),
}
