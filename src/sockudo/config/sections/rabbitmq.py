"""`adapter.rabbitmq`: the bus between nodes over RabbitMQ."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sockudo.config.kinds.rabbit_urls import RabbitUrls, heartbeat, unused_parameters
from sockudo.config.kinds.section import Section, env
from sockudo.config.kinds.values import OptionalCount, OptionalWords, Positive, Words

_OURS = "Not a setting of the original."


class RabbitAdapterSettings(Section):
    """The bus over RabbitMQ (driver `rabbitmq`)."""

    # An address may hold a password.
    url: Annotated[RabbitUrls, env("RABBITMQ_URL")] = Field(
        default="amqp://guest:guest@127.0.0.1:5672/%2f",
        repr=False,
        description="`amqp://` or `amqps://` (TLS); several servers of one cluster with commas between them. "
        "`?heartbeat=30` is how long the server may be silent (seconds), instead of request_timeout_ms.",
    )
    prefix: Annotated[Words, env("RABBITMQ_PREFIX")] = Field(
        default="sockudo_adapter", description="Name of the exchange, and beginning of the names of all queues."
    )
    request_timeout_ms: Annotated[Positive, env("RABBITMQ_REQUEST_TIMEOUT_MS")] = Field(
        default=5000, description="How long the server may be silent (milliseconds); at least a second."
    )
    connection_timeout_ms: Annotated[Positive, env("RABBITMQ_CONNECTION_TIMEOUT_MS")] = Field(
        default=5000, description="How long connecting may take (milliseconds)."
    )
    max_queue_mb: Positive = Field(
        default=64, description=f"Data that may wait for one node (MB); above that the node reconnects. {_OURS}"
    )
    tls_ca: OptionalWords = Field(default=None, description=f"Certificates to trust, instead of the system's. {_OURS}")
    tls_cert: OptionalWords = Field(default=None, description=f"Certificate of the node. {_OURS}")
    tls_key: OptionalWords = Field(default=None, description=f"Key of the certificate. {_OURS}")
    nodes_number: Annotated[OptionalCount, env("RABBITMQ_NODES_NUMBER")] = Field(
        default=None, description="Accepted as the original does, and without effect."
    )

    @property
    def silence_timeout(self) -> float:
        """How long the server may be silent (seconds), by the address or by request_timeout_ms."""
        return max(heartbeat(self.url) or self.request_timeout_ms / 1000, 1.0)

    def advice(self) -> list[str]:
        """Warn of parameters of the address without effect."""
        names = ", ".join(unused_parameters(self.url))
        return [f"adapter.rabbitmq.url: {names} has no effect; see the settings of adapter.rabbitmq"] if names else []
