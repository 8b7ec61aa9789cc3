"""The options of the Redis drivers of the bus. Values only: settings become options without the extra `redis`.

The sections `adapter.redis` and `adapter.cluster` fulfil the protocols: a new setting is declared there, named here,
and used in the driver.

Rules: no `repr` shows a value that may hold a password.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol

from sockudo.redis_client.options import RedisNodes, RedisSection, RedisTarget, RedisTiming, Sentinels
from sockudo.redis_client.places import database_sentinels, host_and_port, redis_nodes, server_url

_PUB: Final = "adapter.redis.redis_pub_options.url or database.redis"
_SUB: Final = "adapter.redis.redis_sub_options.url or database.redis"
_NODES: Final = "adapter.cluster.nodes or database.redis.cluster_nodes"
_SENTINEL_PORT: Final = 26379
# More often Redis is not asked for a sign of life, however short the node time-out is (seconds).
_SHORTEST_PROBE: Final = 0.1


class SentinelSection(Protocol):
    """Sentinels of one connection."""

    master_name: str
    hosts: tuple[str, ...]
    password: str | None


class ConnectionSection(Protocol):
    """One of the two connections; what it leaves open is that of the other, or of `database.redis`."""

    url: str | None
    password: str | None

    @property
    def sentinel(self) -> SentinelSection | None:
        """Its sentinels."""


class RedisBusSection(Protocol):
    """The settings of the section `adapter.redis` that the driver reads.

    Attributes:
        requests_timeout: how long connecting may take (milliseconds).
    """

    prefix: str
    requests_timeout: int

    @property
    def redis_pub_options(self) -> ConnectionSection:
        """The connection that publishes."""

    @property
    def redis_sub_options(self) -> ConnectionSection:
        """The connection that subscribes."""


class RedisClusterBusSection(Protocol):
    """The settings of the section `adapter.cluster` that the driver reads.

    Attributes:
        request_timeout_ms: how long connecting may take.
    """

    nodes: tuple[str, ...]
    prefix: str
    request_timeout_ms: int


@dataclass(frozen=True, slots=True)
class RedisOptions:
    """A bus over one Redis, perhaps with replicas and sentinels beside it."""

    section: RedisBusSection
    target: RedisTarget
    # The server to subscribe at, where it is another one, such as a replica.
    subscribe_target: RedisTarget | None = None
    timing: RedisTiming = field(default_factory=RedisTiming)


@dataclass(frozen=True, slots=True)
class RedisClusterOptions:
    """A bus over a Redis Cluster."""

    section: RedisClusterBusSection
    nodes: RedisNodes
    timing: RedisTiming = field(default_factory=RedisTiming)


def redis_options(section: RedisBusSection, database: RedisSection, node_timeout: float) -> RedisOptions:
    """Return the options of a bus.

    Args:
        node_timeout: the silence after which the other nodes miss a node, in seconds.
    """
    publishing = section.redis_pub_options
    target = _target(publishing, publishing, database, _PUB)
    subscribing = _target(section.redis_sub_options, publishing, database, _SUB)
    is_same = (subscribing.url, subscribing.password, subscribing.sentinels) == (
        target.url,
        target.password,
        target.sentinels,
    )
    timing = _timing(section.requests_timeout, node_timeout)
    return RedisOptions(section, target, None if is_same else subscribing, timing)


def redis_cluster_options(
    section: RedisClusterBusSection, database: RedisSection, node_timeout: float
) -> RedisClusterOptions:
    """Return the options of a bus over a Redis Cluster.

    Args:
        node_timeout: the silence after which the other nodes miss a node, in seconds.

    Raises:
        ConfigError: there are no nodes.
    """
    nodes = redis_nodes(database, section.nodes, _NODES, "adapter.driver redis-cluster")
    return RedisClusterOptions(section, nodes, _timing(section.request_timeout_ms, node_timeout))


def _timing(connect_timeout_ms: int, node_timeout: float) -> RedisTiming:
    """Return how patient the driver is: a node notices a silent Redis no later than the others miss that node."""
    usual = RedisTiming()
    interval = min(usual.probe_interval, max(_SHORTEST_PROBE, node_timeout / usual.probes))
    return RedisTiming(connect_timeout=connect_timeout_ms / 1000, probe_interval=interval)


def _target(own: ConnectionSection, other: ConnectionSection, database: RedisSection, setting: str) -> RedisTarget:
    """Return where a connection goes: by its own options, else by the other connection's, else by `database.redis`."""
    url, sentinels = own.url or other.url, _sentinels(own.sentinel) or _sentinels(other.sentinel)
    return RedisTarget(
        url=url or server_url(database),
        setting=setting,
        username=database.username,
        password=own.password or other.password or database.password,
        db=database.db,
        sentinels=sentinels or (None if url else database_sentinels(database)),
    )


def _sentinels(section: SentinelSection | None) -> Sentinels | None:
    if section is None or not section.hosts:
        return None
    hosts = tuple(host_and_port(host, _SENTINEL_PORT) for host in section.hosts)
    return Sentinels(hosts, section.master_name, password=section.password)
