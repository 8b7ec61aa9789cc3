"""`database.scylladb`: apps in ScyllaDB or Cassandra."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sockudo.config.kinds.addresses import CqlNodes
from sockudo.config.kinds.database_names import CqlClass, CqlName
from sockudo.config.kinds.section import Section
from sockudo.config.kinds.values import NotEmpty, OptionalWords, Positive


class ScyllaDbSettings(Section):
    """Apps in ScyllaDB or Cassandra (driver `scylladb`)."""

    nodes: Annotated[CqlNodes, NotEmpty()] = Field(
        default=("127.0.0.1:9042",), description="Addresses of some nodes, `host:port`; all have one port."
    )
    keyspace: CqlName = Field(default="sockudo", description="Keyspace; the server makes it if it does not exist.")
    table_name: CqlName = Field(
        default="applications", description="Table of the apps; the server makes it if it does not exist."
    )
    username: OptionalWords = Field(default=None, description="User, with password.")
    password: OptionalWords = Field(default=None, repr=False, description="Password of the user.")
    replication_class: CqlClass = Field(
        default="SimpleStrategy", description="How a keyspace that the server makes spreads its replicas."
    )
    replication_factor: Positive = Field(default=3, description="Replicas of a keyspace that the server makes.")
