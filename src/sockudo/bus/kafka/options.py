"""What a Kafka adapter is told: where the brokers are, who we are to them, and how the topic is made."""

from __future__ import annotations

import re
from typing import Final, Protocol
from urllib.parse import urlsplit

from sockudo.errors import DriverError

DEFAULT_PORT: Final = 9092
_TOPIC: Final = re.compile(r"[\w.-]{1,249}", re.ASCII)

Address = tuple[str, int]


class KafkaOptions(Protocol):
    """What the driver reads of the section `adapter.kafka`, which describes each setting."""

    brokers: tuple[str, ...]
    prefix: str
    sasl_username: str | None
    sasl_password: str | None
    tls_ca: str | None
    tls_cert: str | None
    tls_key: str | None
    partitions: int
    replication_factor: int | None
    retention_ms: int
    max_batch_kb: int
    connection_timeout_ms: int
    request_timeout_ms: int

    @property
    def security_protocol(self) -> str | None:
        """`plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`; None follows from what else is set."""

    @property
    def sasl_mechanism(self) -> str | None:
        """`plain`, `scram-sha-256` or `scram-sha-512`; None is `plain`."""


def uses_tls(options: KafkaOptions) -> bool:
    """Tell whether connections are encrypted."""
    if options.security_protocol is None:
        return any((options.tls_ca, options.tls_cert, options.tls_key))
    return options.security_protocol.lower() in ("ssl", "sasl_ssl")


def logs_in(options: KafkaOptions) -> bool:
    """Tell whether brokers are told who we are."""
    if options.security_protocol is None:
        return options.sasl_username is not None
    return options.security_protocol.lower() in ("sasl_plaintext", "sasl_ssl")


def parse_brokers(options: KafkaOptions) -> list[Address]:
    """Read the addresses, and look at what else can be wrong.

    Raises:
        DriverError: there is no address, one is none, the name of the topic is none, or a login lacks its user.
    """
    if not options.brokers:
        raise DriverError("adapter.kafka.brokers: expected at least one broker")
    if _TOPIC.fullmatch(options.prefix) is None or options.prefix in (".", ".."):
        raise DriverError("adapter.kafka.prefix: expected the name of a topic, at most 249 letters, digits and ._-")
    if logs_in(options) and (options.sasl_username is None or options.sasl_password is None):
        raise DriverError("adapter.kafka.sasl_username and sasl_password: expected both")
    return [_parse_broker(text.strip(), position) for position, text in enumerate(options.brokers)]


def _parse_broker(text: str, position: int) -> Address:
    problem = DriverError(f"adapter.kafka.brokers[{position}]: expected host:port")
    try:
        url = urlsplit(f"//{text}")
        port = url.port
    except ValueError:
        raise problem from None
    # What is before an @ could be a password, and is nothing that Kafka knows.
    if not url.hostname or url.netloc != text or "@" in text:
        raise problem
    return url.hostname, DEFAULT_PORT if port is None else port


def show(address: Address) -> str:
    """Return an address as people write it."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
