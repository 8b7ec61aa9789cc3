"""Settings -> the adapter they ask for, and the times of the cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from sockudo.assembly.drivers import adapter_class
from sockudo.assembly.redis import cluster_login, cluster_nodes, database_sentinels, host_and_port, server_url
from sockudo.bus.base import Adapter
from sockudo.bus.kafka.options import KafkaOptions
from sockudo.bus.nats.options import NatsOptions
from sockudo.bus.rabbitmq.options import RabbitOptions
from sockudo.bus.redis.options import RedisClusterOptions, RedisOptions
from sockudo.cluster.times import ClusterTimes
from sockudo.config.kinds.rabbit_urls import heartbeat
from sockudo.config.model import Settings
from sockudo.config.sections.adapter import RedisConnectionOptions
from sockudo.config.sections.database import RedisDatabaseSettings
from sockudo.errors import ConfigError
from sockudo.redis_client.options import RedisTarget, RedisTiming, Sentinels

Link: TypeAlias = tuple[Adapter | None, ClusterTimes]

_PUB: Final = "adapter.redis.redis_pub_options.url or database.redis"
_SUB: Final = "adapter.redis.redis_sub_options.url or database.redis"
_NODES: Final = "adapter.cluster.nodes or database.redis.cluster_nodes"
# A node that is never taken for dead by its silence.
_NEVER: Final = float("inf")
# More often Redis is not asked for a sign of life, however short the node time-out is (seconds).
_SHORTEST_PROBE: Final = 0.1


def link_from_settings(settings: Settings) -> Link:
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
    adapter: Adapter = adapter_class(driver)(_OPTIONS[driver](settings))
    return adapter


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


def nats_options(settings: Settings) -> NatsOptions:
    """Return the options of the driver `nats`."""
    section = settings.adapter.nats
    return NatsOptions(
        servers=section.servers,
        prefix=section.prefix,
        username=section.username,
        password=section.password,
        token=section.token,
        nkey_seed=section.nkey_seed,
        credentials_file=_path(section.credentials_file),
        tls_ca=_path(section.tls_ca),
        tls_cert=_path(section.tls_cert),
        tls_key=_path(section.tls_key),
        connect_timeout=section.connection_timeout_ms / 1000,
        ping_timeout=section.request_timeout_ms / 1000,
    )


def rabbitmq_options(settings: Settings) -> RabbitOptions:
    """Return the options of the driver `rabbitmq`."""
    section = settings.adapter.rabbitmq
    # A server that is asked for a heartbeat may be silent for as long.
    silence = heartbeat(section.url) or section.request_timeout_ms / 1000
    return RabbitOptions(
        url=section.url,
        prefix=section.prefix,
        tls_ca=_path(section.tls_ca),
        tls_cert=_path(section.tls_cert),
        tls_key=_path(section.tls_key),
        connect_timeout=section.connection_timeout_ms / 1000,
        silence_timeout=max(silence, 1.0),
        most_queued=section.max_queue_mb * 1024 * 1024,
    )


def kafka_options(settings: Settings) -> KafkaOptions:
    """Return the options of the driver `kafka`."""
    section = settings.adapter.kafka
    return KafkaOptions(
        brokers=section.brokers,
        prefix=section.prefix,
        security_protocol=None if section.security_protocol is None else section.security_protocol.upper(),
        sasl_mechanism=(section.sasl_mechanism or "plain").upper(),
        sasl_username=section.sasl_username,
        sasl_password=section.sasl_password,
        tls_ca=_path(section.tls_ca),
        tls_cert=_path(section.tls_cert),
        tls_key=_path(section.tls_key),
        partitions=section.partitions,
        replicas=section.replication_factor,
        retention=section.retention_ms / 1000,
        longest_batch=section.max_batch_kb * 1024,
        connect_timeout=section.connection_timeout_ms / 1000,
        silence_timeout=section.request_timeout_ms / 1000,
    )


# How the options of each driver are made.
_OPTIONS: Final[Mapping[str, Callable[[Settings], object]]] = {
    "redis": redis_options,
    "redis-cluster": redis_cluster_options,
    "nats": nats_options,
    "rabbitmq": rabbitmq_options,
    "kafka": kafka_options,
}


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


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
