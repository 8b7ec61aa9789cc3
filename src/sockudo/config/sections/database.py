"""`database`: the databases that parts of Sockudo may use, and the Redis that several share."""

from __future__ import annotations

from typing import Annotated, Any, Final, Self

from pydantic import Field, ModelWrapValidatorHandler, model_validator

from sockudo.config.kinds.addresses import RedisHost
from sockudo.config.kinds.hosts import HostName
from sockudo.config.kinds.rules import check_with_rules, rule_broken
from sockudo.config.kinds.section import Section, env
from sockudo.config.kinds.values import Count, Flag, NullAsEmpty, OptionalWords, Port, Words
from sockudo.config.sections.dynamodb import DynamoDbSettings
from sockudo.config.sections.scylladb import ScyllaDbSettings
from sockudo.config.sections.sql_databases import MysqlSettings, PostgresSettings, SqliteSettings

_R: Final = "DATABASE_REDIS_"


class SentinelAddress(Section):
    """One sentinel; as text it is `host:port`, `[address]:port` or a host alone."""

    host: HostName = Field(default="localhost", description="Host of a sentinel.")
    port: Port = Field(default=26379, description="Port of a sentinel.")

    @model_validator(mode="before")
    @classmethod
    def _may_be_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        host, colon, port = value.rpartition(":")
        if not colon or value.endswith("]") or (":" in host and not host.startswith("[")):
            return {"host": value.strip("[]")}
        return {"host": host.strip("[]"), "port": port}


class ClusterNodeAddress(Section):
    """One node of a Redis Cluster; as text it is what `host` may be."""

    # It may hold a login, as a node of adapter.cluster may.
    host: Annotated[str, RedisHost()] = Field(
        default="127.0.0.1", repr=False, description="Host, perhaps with `redis://` or `rediss://` and a port."
    )
    port: Port = Field(default=7000, description="Port, if the host names none.")

    @model_validator(mode="before")
    @classmethod
    def _may_be_text(cls, value: Any) -> Any:
        return {"host": value} if isinstance(value, str) else value


class RedisClusterLogin(Section):
    """The login of a Redis Cluster, if it differs from that of a single Redis."""

    username: Annotated[OptionalWords, env(_R + "CLUSTER_USERNAME", _R + "CLUSTER_USER")] = Field(
        default=None, description="ACL user, with password."
    )
    password: Annotated[OptionalWords, env(_R + "CLUSTER_PASSWORD")] = Field(
        default=None, repr=False, description="Password; null takes username and password of database.redis."
    )
    use_tls: Annotated[Flag, env(_R + "CLUSTER_USE_TLS")] = Field(
        default=False, description="Whether to reach all nodes with TLS, as with `rediss://`."
    )

    @model_validator(mode="wrap")
    @classmethod
    def _is_whole(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        # The user of one section must not go with the password of another.
        broken = []
        if isinstance(data, dict) and data.get("username") and not data.get("password"):
            broken = [rule_broken(("password",), "is required beside database.redis.cluster.username")]
        return check_with_rules(cls.__name__, data, handler, broken)


class RedisDatabaseSettings(Section):
    """The Redis for parts of Sockudo without an address of their own."""

    # It may hold a login, as that of a node may.
    host: Annotated[str, RedisHost(), env(_R + "HOST")] = Field(
        default="127.0.0.1", repr=False, description="Host, perhaps with `redis://` or `rediss://` and a port."
    )
    port: Annotated[Port, env(_R + "PORT")] = Field(default=6379, description="Port.")
    db: Annotated[Count, env(_R + "DB")] = Field(default=0, description="Number of the database.")
    username: Annotated[OptionalWords, env(_R + "USERNAME", _R + "USER")] = Field(default=None, description="ACL user.")
    password: Annotated[OptionalWords, env(_R + "PASSWORD")] = Field(default=None, repr=False, description="Password.")
    key_prefix: Annotated[Words, env(_R + "KEY_PREFIX")] = Field(
        default="sockudo:", description="Beginning of the keys, if a part has no prefix of its own."
    )
    sentinels: Annotated[tuple[SentinelAddress, ...], NullAsEmpty(), env(_R + "SENTINELS")] = Field(
        default=(), description="Sentinels that know the master; they replace host and port."
    )
    sentinel_password: Annotated[OptionalWords, env(_R + "SENTINEL_PASSWORD")] = Field(
        default=None, repr=False, description="Password of the sentinels."
    )
    name: Annotated[Words, env(_R + "SENTINEL_MASTER", _R + "NAME")] = Field(
        default="mymaster", description="Name of the master that the sentinels watch."
    )
    cluster_nodes: Annotated[tuple[ClusterNodeAddress, ...], NullAsEmpty(), env(_R + "CLUSTER_NODES")] = Field(
        default=(), description="Some nodes of a Redis Cluster."
    )
    cluster: RedisClusterLogin = Field(default_factory=RedisClusterLogin, description="Login of a Redis Cluster.")


class DatabaseSettings(Section):
    """Databases: another setting, such as app_manager.driver, chooses the section to use."""

    redis: RedisDatabaseSettings = Field(default_factory=RedisDatabaseSettings, description="Redis.")
    sqlite: SqliteSettings = Field(default_factory=SqliteSettings, description="Apps in a SQLite file.")
    mysql: MysqlSettings = Field(default_factory=MysqlSettings, description="Apps in MySQL or MariaDB.")
    postgres: PostgresSettings = Field(default_factory=PostgresSettings, description="Apps in PostgreSQL.")
    dynamodb: DynamoDbSettings = Field(default_factory=DynamoDbSettings, description="Apps in Amazon DynamoDB.")
    scylladb: ScyllaDbSettings = Field(default_factory=ScyllaDbSettings, description="Apps in ScyllaDB or Cassandra.")
