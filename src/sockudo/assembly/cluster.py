"""Makes the adapter that the settings ask for, and reads the times of the cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from sockudo.assembly.drivers import load_driver
from sockudo.bus.base import Adapter
from sockudo.bus.redis.options import RedisClusterOptions, RedisOptions, redis_cluster_options, redis_options
from sockudo.cluster.times import ClusterTimes
from sockudo.config.model import Settings

Bus: TypeAlias = tuple[Adapter | None, ClusterTimes]

# A node that is never taken for dead by its silence.
_NEVER: Final = float("inf")


def bus_from_settings(settings: Settings) -> Bus:
    """Return the adapter of the settings, not started, or None for a node that is alone; and the cluster's times.

    Raises:
        ConfigError: the driver lacks a setting.
        MissingExtraError: what the driver needs is not installed.
    """
    interval = settings.adapter.cluster_health.heartbeat_interval_ms / 1000
    times = ClusterTimes(heartbeat_interval=interval, node_timeout=node_timeout(settings))
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


def node_timeout(settings: Settings) -> float:
    """Return after how much silence a node counts as dead (seconds)."""
    health = settings.adapter.cluster_health
    return health.node_timeout_ms / 1000 if health.enabled else _NEVER


def _redis(settings: Settings) -> RedisOptions:
    return redis_options(settings.adapter.redis, settings.database.redis, node_timeout(settings))


def _redis_cluster(settings: Settings) -> RedisClusterOptions:
    return redis_cluster_options(settings.adapter.cluster, settings.database.redis, node_timeout(settings))


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
    "redis": AdapterDriver("sockudo.bus.redis.adapter:RedisAdapter", _redis),
    "redis-cluster": AdapterDriver("sockudo.bus.redis.cluster:RedisClusterAdapter", _redis_cluster, "redis"),
    "nats": AdapterDriver("sockudo.bus.nats.adapter:NatsAdapter", lambda settings: settings.adapter.nats),
    "rabbitmq": AdapterDriver("sockudo.bus.rabbitmq.adapter:RabbitAdapter", lambda settings: settings.adapter.rabbitmq),
    "kafka": AdapterDriver("sockudo.bus.kafka.adapter:KafkaAdapter", lambda settings: settings.adapter.kafka),
}
