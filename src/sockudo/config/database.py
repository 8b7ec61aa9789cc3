"""`database`: the databases that parts of Sockudo may use, and the Redis that several share."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sockudo.config.addresses import RedisHost
from sockudo.config.dynamodb import DynamoDbSettings
from sockudo.config.hosts import HostName
from sockudo.config.scylladb import ScyllaDbSettings
from sockudo.config.section import Section, env
from sockudo.config.sql_databases import MysqlSettings, PostgresSettings, SqliteSettings
from sockudo.config.values import Count, NullAsEmpty, OptionalWords, Port, Words


class SentinelAddress(Section):
    """One sentinel."""

    host: HostName = Field(default="localhost", description="Host of a sentinel.")
    port: Port = Field(default=26379, description="Port of a sentinel.")


class ClusterNodeAddress(Section):
    """One node of a Redis Cluster."""

    # It may hold a login, as a node of adapter.cluster may.
    host: Annotated[str, RedisHost()] = Field(
        default="127.0.0.1", repr=False, description="Host, perhaps with `redis://` or `rediss://` and a port."
    )
    port: Port = Field(default=7000, description="Port, where the host names none.")


class RedisDatabaseSettings(Section):
    """The Redis that is used where a part of Sockudo has no address of its own."""

    # It may hold a login, as that of a node may.
    host: Annotated[str, RedisHost(), env("DATABASE_REDIS_HOST")] = Field(
        default="127.0.0.1", repr=False, description="Host, perhaps with `redis://` or `rediss://` and a port."
    )
    port: Annotated[Port, env("DATABASE_REDIS_PORT")] = Field(default=6379, description="Port.")
    db: Annotated[Count, env("DATABASE_REDIS_DB")] = Field(default=0, description="Number of the database.")
    username: OptionalWords = Field(default=None, description="ACL user.")
    password: Annotated[OptionalWords, env("DATABASE_REDIS_PASSWORD")] = Field(
        default=None, repr=False, description="Password."
    )
    key_prefix: Annotated[Words, env("DATABASE_REDIS_KEY_PREFIX")] = Field(
        default="sockudo:", description="What keys begin with where a part has no prefix of its own."
    )
    sentinels: Annotated[tuple[SentinelAddress, ...], NullAsEmpty()] = Field(
        default=(), description="Sentinels that know the master; with them, host and port are not used."
    )
    sentinel_password: OptionalWords = Field(default=None, repr=False, description="Password of the sentinels.")
    name: Words = Field(default="mymaster", description="Name of the master that the sentinels watch.")
    cluster_nodes: Annotated[tuple[ClusterNodeAddress, ...], NullAsEmpty()] = Field(
        default=(), description="Some nodes of a Redis Cluster."
    )


class DatabaseSettings(Section):
    """Databases: a section counts where something else chooses it, such as app_manager.driver."""

    redis: RedisDatabaseSettings = Field(default_factory=RedisDatabaseSettings, description="Redis.")
    sqlite: SqliteSettings = Field(default_factory=SqliteSettings, description="Apps in a SQLite file.")
    mysql: MysqlSettings = Field(default_factory=MysqlSettings, description="Apps in MySQL or MariaDB.")
    postgres: PostgresSettings = Field(default_factory=PostgresSettings, description="Apps in PostgreSQL.")
    dynamodb: DynamoDbSettings = Field(default_factory=DynamoDbSettings, description="Apps in Amazon DynamoDB.")
    scylladb: ScyllaDbSettings = Field(default_factory=ScyllaDbSettings, description="Apps in ScyllaDB or Cassandra.")
