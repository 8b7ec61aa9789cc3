"""`adapter`: the bus between the nodes of a cluster."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from sockudo.config.kinds.addresses import NatsServers, OptionalRedisUrl, RedisNodeList
from sockudo.config.kinds.hosts import HostAndPort
from sockudo.config.kinds.section import Section, env
from sockudo.config.kinds.values import Count, Flag, NullAsEmpty, OneOf, OptionalCount, OptionalWords, Positive, Words
from sockudo.config.sections.kafka import KafkaAdapterSettings
from sockudo.config.sections.rabbitmq import RabbitAdapterSettings

# Each but `local` has a row in `assembly/cluster.py`.
AdapterDriver = Literal["local", "redis", "redis-cluster", "nats", "rabbitmq", "kafka"]

_NO_EFFECT = "Accepted as the original does, and without effect."


class SentinelOptions(Section):
    """Sentinels that know the master, within the options of a connection."""

    master_name: Words = Field(default="mymaster", description="Name of the master that the sentinels watch.")
    hosts: Annotated[tuple[HostAndPort, ...], NullAsEmpty()] = Field(
        default=(), description="Addresses of the sentinels, `host:port`."
    )
    password: OptionalWords = Field(default=None, repr=False, description="Password of the sentinels.")


class RedisConnectionOptions(Section):
    """One connection to Redis."""

    # An address may hold a password.
    url: Annotated[OptionalRedisUrl, env("ADAPTER_REDIS_URL", "REDIS_URL")] = Field(
        default=None, repr=False, description="`redis://` or `rediss://` (TLS); null takes database.redis."
    )
    password: OptionalWords = Field(default=None, repr=False, description="Password, if the address has none.")
    sentinel: SentinelOptions | None = Field(default=None, description="Sentinels; null takes database.redis.")


class RedisAdapterSettings(Section):
    """The bus over one Redis (driver `redis`)."""

    requests_timeout: Annotated[Positive, env("ADAPTER_REQUEST_TIMEOUT")] = Field(
        default=5000, description="How long connecting may take (milliseconds)."
    )
    prefix: Annotated[Words, env("ADAPTER_REDIS_PREFIX")] = Field(
        default="sockudo_adapter:", description="Beginning of the names of all topics."
    )
    redis_pub_options: RedisConnectionOptions = Field(
        default_factory=RedisConnectionOptions, description="The connection that publishes."
    )
    redis_sub_options: RedisConnectionOptions = Field(
        default_factory=RedisConnectionOptions,
        description="The connection that subscribes; null takes the value of the other connection.",
    )
    cluster_mode: Flag = Field(default=False, description="Use the Redis Cluster of adapter.cluster instead.")


class RedisClusterAdapterSettings(Section):
    """The bus over a Redis Cluster (driver `redis-cluster`)."""

    nodes: Annotated[RedisNodeList, NullAsEmpty(), env("REDIS_CLUSTER_NODES")] = Field(
        default=(), repr=False, description="Addresses of some nodes; none takes database.redis.cluster_nodes."
    )
    prefix: Words = Field(default="sockudo_cluster:", description="Beginning of the names of all topics.")
    request_timeout_ms: Positive = Field(default=5000, description="How long connecting may take (milliseconds).")
    use_connection_manager: Flag = Field(default=True, description=_NO_EFFECT)


class NatsAdapterSettings(Section):
    """The bus over NATS (driver `nats`)."""

    servers: Annotated[NatsServers, NullAsEmpty(), env("NATS_SERVERS", "NATS_URL")] = Field(
        default=("nats://localhost:4222",), repr=False, description="Addresses of the servers."
    )
    prefix: Words = Field(default="sockudo_nats:", description="Beginning of all subjects.")
    request_timeout_ms: Annotated[Positive, env("NATS_REQUEST_TIMEOUT_MS")] = Field(
        default=5000, description="How long the server may take to answer a ping (milliseconds)."
    )
    connection_timeout_ms: Annotated[Positive, env("NATS_CONNECTION_TIMEOUT_MS")] = Field(
        default=5000, description="How long connecting may take (milliseconds)."
    )
    username: Annotated[OptionalWords, env("NATS_USERNAME")] = Field(default=None, description="User, with password.")
    password: Annotated[OptionalWords, env("NATS_PASSWORD")] = Field(
        default=None, repr=False, description="Password of the user."
    )
    token: Annotated[OptionalWords, env("NATS_TOKEN")] = Field(
        default=None, repr=False, description="Token, instead of a user."
    )
    nkey_seed: OptionalWords = Field(
        default=None, repr=False, description="Seed of an nkey, instead of a user. Not a setting of the original."
    )
    credentials_file: OptionalWords = Field(
        default=None, description="File with a JWT and its seed, instead of a user. Not a setting of the original."
    )
    tls_ca: OptionalWords = Field(
        default=None, description="Certificates to trust, instead of the system's. Not a setting of the original."
    )
    tls_cert: OptionalWords = Field(default=None, description="Certificate of the node. Not a setting of the original.")
    tls_key: OptionalWords = Field(default=None, description="Key of the certificate. Not a setting of the original.")
    nodes_number: OptionalCount = Field(default=None, description=_NO_EFFECT)


class ClusterHealthSettings(Section):
    """Heartbeats between the nodes; a file may also have this section at its top level."""

    enabled: Annotated[Flag, env("CLUSTER_HEALTH_ENABLED")] = Field(
        default=True, description="Whether a silent node counts as dead; a node that leaves says so in any case."
    )
    heartbeat_interval_ms: Annotated[Positive, env("CLUSTER_HEALTH_HEARTBEAT_INTERVAL")] = Field(
        default=10000, description="How often a node sends a heartbeat (milliseconds)."
    )
    node_timeout_ms: Annotated[Positive, env("CLUSTER_HEALTH_NODE_TIMEOUT")] = Field(
        default=30000, description="Silence after which a node counts as dead (milliseconds)."
    )
    cleanup_interval_ms: Annotated[Positive, env("CLUSTER_HEALTH_CLEANUP_INTERVAL")] = Field(
        default=10000, description="Checked, but without effect: nodes check for silence twice a second."
    )

    @model_validator(mode="after")
    def _in_proportion(self) -> Self:
        if self.heartbeat_interval_ms * 3 > self.node_timeout_ms:
            raise _rule("heartbeat_interval_ms must be at most a third of node_timeout_ms")
        if self.cleanup_interval_ms > self.node_timeout_ms:
            raise _rule("cleanup_interval_ms must be at most node_timeout_ms")
        return self


class AdapterSettings(Section):
    """The bus between the nodes of a cluster."""

    driver: Annotated[AdapterDriver, OneOf(get_args(AdapterDriver)), env("ADAPTER_DRIVER")] = Field(
        default="local", description="The bus between the nodes; local runs a single node."
    )
    buffer_multiplier_per_cpu: Annotated[Count, env("ADAPTER_BUFFER_MULTIPLIER_PER_CPU")] = Field(
        default=64, description=_NO_EFFECT
    )
    redis: RedisAdapterSettings = Field(default_factory=RedisAdapterSettings, description="The bus over one Redis.")
    cluster: RedisClusterAdapterSettings = Field(
        default_factory=RedisClusterAdapterSettings, description="The bus over a Redis Cluster."
    )
    nats: NatsAdapterSettings = Field(default_factory=NatsAdapterSettings, description="The bus over NATS.")
    rabbitmq: RabbitAdapterSettings = Field(default_factory=RabbitAdapterSettings, description="The bus over RabbitMQ.")
    kafka: KafkaAdapterSettings = Field(default_factory=KafkaAdapterSettings, description="The bus over Kafka.")
    cluster_health: ClusterHealthSettings = Field(
        default_factory=ClusterHealthSettings, description="Heartbeats between the nodes."
    )


def _rule(sentence: str) -> PydanticCustomError:
    return PydanticCustomError("rule", "{text}", {"text": sentence})
