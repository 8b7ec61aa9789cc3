"""`adapter.kafka`: the bus between nodes over Kafka."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sockudo.config.kinds.addresses import KafkaBrokers
from sockudo.config.kinds.section import Section, env
from sockudo.config.kinds.values import NotEmpty, OneOf, OptionalCount, OptionalWords, Positive, Whole, Words

_OURS = "Not a setting of the original."
_PROTOCOLS = OneOf(("plaintext", "ssl", "sasl_plaintext", "sasl_ssl"), null=True)
_MECHANISMS = OneOf(("plain", "scram-sha-256", "scram-sha-512"), null=True)

SecurityProtocol = Annotated[Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] | None, _PROTOCOLS]
Mechanism = Annotated[Literal["plain", "scram-sha-256", "scram-sha-512"] | None, _MECHANISMS]


class KafkaAdapterSettings(Section):
    """The bus over Kafka (driver `kafka`)."""

    brokers: Annotated[KafkaBrokers, NotEmpty(), env("KAFKA_BROKERS")] = Field(
        default=("localhost:9092",), description="Addresses of some brokers, `host:port`; they name the others."
    )
    prefix: Annotated[Words, env("KAFKA_PREFIX")] = Field(
        default="sockudo_adapter", description="Name of the topic of the bus; the node makes it if it is missing."
    )
    request_timeout_ms: Annotated[Positive, env("KAFKA_REQUEST_TIMEOUT_MS")] = Field(
        default=5000, description="How long a broker may be silent (milliseconds)."
    )
    connection_timeout_ms: Annotated[Positive, env("KAFKA_CONNECTION_TIMEOUT_MS")] = Field(
        default=5000, description=f"How long connecting may take (milliseconds). {_OURS}"
    )
    security_protocol: Annotated[SecurityProtocol, env("KAFKA_SECURITY_PROTOCOL")] = Field(
        default=None, description="TLS and login; null is TLS with any `tls_` file, and a login with a user."
    )
    sasl_mechanism: Annotated[Mechanism, env("KAFKA_SASL_MECHANISM")] = Field(
        default=None, description="How to log in; null is plain."
    )
    sasl_username: Annotated[OptionalWords, env("KAFKA_SASL_USERNAME")] = Field(
        default=None, description="User, with sasl_password."
    )
    sasl_password: Annotated[OptionalWords, env("KAFKA_SASL_PASSWORD")] = Field(
        default=None, repr=False, description="Password of the user."
    )
    tls_ca: OptionalWords = Field(default=None, description=f"Certificates to trust, instead of the system's. {_OURS}")
    tls_cert: OptionalWords = Field(default=None, description=f"Certificate of the node. {_OURS}")
    tls_key: OptionalWords = Field(default=None, description=f"Key of the certificate. {_OURS}")
    partitions: Annotated[int, Whole(1, 1000), env("KAFKA_PARTITIONS")] = Field(
        default=8, description=f"Partitions of a topic that the node makes. {_OURS}"
    )
    replication_factor: Annotated[int | None, Whole(1, 100, null=True), env("KAFKA_REPLICATION_FACTOR")] = Field(
        default=None, description=f"Copies of a topic that the node makes; null takes the brokers' default. {_OURS}"
    )
    retention_ms: Positive = Field(
        default=60000, description=f"How long a topic that the node makes keeps messages (milliseconds). {_OURS}"
    )
    max_batch_kb: Annotated[int, Whole(16, 512 * 1024)] = Field(
        default=900, description=f"Size of a batch; at most what brokers allow with `message.max.bytes`. {_OURS}"
    )
    nodes_number: Annotated[OptionalCount, env("KAFKA_NODES_NUMBER")] = Field(
        default=None, description="Accepted as the original does, and without effect."
    )
