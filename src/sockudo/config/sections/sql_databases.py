"""`database.sqlite`, `database.mysql`, `database.postgres` and `database_pooling`: apps in a SQL database."""

from __future__ import annotations

from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field

from sockudo.config.kinds.database_names import SqlName
from sockudo.config.kinds.hosts import DatabaseHost
from sockudo.config.kinds.section import Section, env
from sockudo.config.kinds.values import (
    AnyText,
    Count,
    Flag,
    OneOf,
    OptionalCount,
    OptionalWords,
    Port,
    Positive,
    Whole,
    Words,
)

_NO_EFFECT: Final = "Accepted as the original does, and without effect."
_TABLE: Final = "Table of the apps; the server makes it if it does not exist."
_POOL_SIZE: Final = "The most connections, while database_pooling.enabled is false."
_POOL_MIN: Final = "Connections that stay open; null takes database_pooling.min."
_POOL_MAX: Final = "The most connections; null takes database_pooling.max."

_TLS: Final = (
    "Encryption: off, require, prefer (goes without if the server has none), "
    "or verify (checks the certificate and name of the server)."
)
_TLS_CA: Final = "File with the authorities that verify trusts (PEM); null takes those of the system."

_Tls = Annotated[Literal["off", "prefer", "require", "verify"], OneOf(("off", "prefer", "require", "verify"))]
_OptionalPositive = Annotated[int | None, Whole(1, null=True)]


class PoolSize(NamedTuple):
    """How many connections a pool keeps, and how many it may have."""

    low: int
    high: int


class SqliteSettings(Section):
    """Apps in a SQLite file (driver `sqlite`). Not a section of the original."""

    path: Annotated[Words, env("DATABASE_SQLITE_PATH")] = Field(
        default="sockudo.db", description="The file; the server makes it if it does not exist."
    )
    table_name: Annotated[SqlName, env("DATABASE_SQLITE_TABLE_NAME")] = Field(
        default="applications", description=_TABLE
    )


class PoolingSettings(Section):
    """The number of connections to a SQL database."""

    enabled: Annotated[Flag, env("DATABASE_POOLING_ENABLED", "DATABASE_POOL_ENABLED")] = Field(
        default=True, description="Whether the limits here hold, and not connection_pool_size of the database."
    )
    min: Annotated[Count, env("DATABASE_POOL_MIN", "DATABASE_POOLING_MIN")] = Field(
        default=2, description="Connections that stay open, but never more than max."
    )
    max: Annotated[Positive, env("DATABASE_POOL_MAX", "DATABASE_POOLING_MAX", "DATABASE_CONNECTION_POOL_SIZE")] = Field(
        default=10, description="The most connections."
    )


class MysqlSettings(Section):
    """Apps in MySQL or MariaDB (driver `mysql`)."""

    host: Annotated[DatabaseHost, env("DATABASE_MYSQL_HOST")] = Field(default="localhost", description="Host.")
    port: Annotated[Port, env("DATABASE_MYSQL_PORT")] = Field(default=3306, description="Port.")
    username: Annotated[Words, env("DATABASE_MYSQL_USERNAME", "DATABASE_MYSQL_USER")] = Field(
        default="root", description="User."
    )
    password: Annotated[AnyText, env("DATABASE_MYSQL_PASSWORD")] = Field(
        default="", repr=False, description="Password; may be empty."
    )
    database: Annotated[Words, env("DATABASE_MYSQL_DATABASE")] = Field(
        default="sockudo", description="Name of the database."
    )
    table_name: Annotated[SqlName, env("DATABASE_MYSQL_TABLE_NAME")] = Field(default="applications", description=_TABLE)
    connection_pool_size: Annotated[Positive, env("DATABASE_CONNECTION_POOL_SIZE")] = Field(
        default=10, description=_POOL_SIZE
    )
    pool_min: Annotated[OptionalCount, env("DATABASE_MYSQL_POOL_MIN")] = Field(default=None, description=_POOL_MIN)
    tls: Annotated[_Tls, env("DATABASE_MYSQL_TLS")] = Field(default="prefer", description=_TLS)
    tls_ca: Annotated[OptionalWords, env("DATABASE_MYSQL_TLS_CA")] = Field(default=None, description=_TLS_CA)
    pool_max: Annotated[_OptionalPositive, env("DATABASE_MYSQL_POOL_MAX")] = Field(default=None, description=_POOL_MAX)
    cache_ttl: Count = Field(default=300, description=_NO_EFFECT)
    cache_cleanup_interval: Count = Field(default=60, description=_NO_EFFECT)
    cache_max_capacity: Count = Field(default=100, description=_NO_EFFECT)


class PostgresSettings(Section):
    """Apps in PostgreSQL (driver `pgsql`)."""

    host: Annotated[DatabaseHost, env("DATABASE_POSTGRES_HOST")] = Field(default="localhost", description="Host.")
    # The original has MySQL's port here by mistake.
    port: Annotated[Port, env("DATABASE_POSTGRES_PORT")] = Field(default=5432, description="Port.")
    username: Annotated[Words, env("DATABASE_POSTGRES_USERNAME", "DATABASE_POSTGRES_USER")] = Field(
        default="root", description="User."
    )
    password: Annotated[AnyText, env("DATABASE_POSTGRES_PASSWORD")] = Field(
        default="", repr=False, description="Password; may be empty."
    )
    database: Annotated[Words, env("DATABASE_POSTGRES_DATABASE")] = Field(
        default="sockudo", description="Name of the database."
    )
    table_name: Annotated[SqlName, env("DATABASE_POSTGRES_TABLE_NAME")] = Field(
        default="applications", description=_TABLE
    )
    connection_pool_size: Annotated[Positive, env("DATABASE_CONNECTION_POOL_SIZE")] = Field(
        default=10, description=_POOL_SIZE
    )
    pool_min: Annotated[OptionalCount, env("DATABASE_POSTGRES_POOL_MIN")] = Field(default=None, description=_POOL_MIN)
    tls: Annotated[_Tls, env("DATABASE_POSTGRES_TLS")] = Field(default="prefer", description=_TLS)
    tls_ca: Annotated[OptionalWords, env("DATABASE_POSTGRES_TLS_CA")] = Field(default=None, description=_TLS_CA)
    pool_max: Annotated[_OptionalPositive, env("DATABASE_POSTGRES_POOL_MAX")] = Field(
        default=None, description=_POOL_MAX
    )
    cache_ttl: Count = Field(default=300, description=_NO_EFFECT)
    cache_cleanup_interval: Count = Field(default=60, description=_NO_EFFECT)
    cache_max_capacity: Count = Field(default=100, description=_NO_EFFECT)


def pool_size(server: MysqlSettings | PostgresSettings, pooling: PoolingSettings) -> PoolSize:
    """Return the size of the pool for a server."""
    if not pooling.enabled:
        return PoolSize(0, server.connection_pool_size)
    high = pooling.max if server.pool_max is None else server.pool_max
    low = pooling.min if server.pool_min is None else server.pool_min
    return PoolSize(min(low, high), high)
