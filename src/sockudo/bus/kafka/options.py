"""What a Kafka adapter is told: where the brokers are, who we are to them, and how the topic is made."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from sockudo.errors import DriverError

DEFAULT_PORT: Final = 9092
_TOPIC: Final = re.compile(r"[\w.-]{1,249}", re.ASCII)

Address = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaOptions:
    """Settings of `adapter.kafka`. What is secret stays out of the text of this object.

    Attributes:
        brokers: addresses, `host:port`, of some brokers, which name the others; tried in order, again and again.
        prefix: the name of the one Kafka topic that the bus is.
        security_protocol: `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`; None follows from what else is set.
        sasl_mechanism: `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
        tls_ca: certificates to trust instead of the system's.
        partitions: of the topic, where it is missing and made.
        replicas: copies of each partition, where it is made; None is what the brokers have as their default.
        retention: seconds that messages are kept, where it is made.
        longest_batch: bytes of one batch of messages; brokers refuse what is above their `message.max.bytes`.
        connect_timeout: seconds for finding the topic and its leaders.
        silence_timeout: seconds without a byte from a broker after which the bus counts as lost.
        most_unsent: bytes that may wait for a broker; above that the bus counts as lost.
    """

    brokers: tuple[str, ...] = (f"localhost:{DEFAULT_PORT}",)
    prefix: str = "sockudo_adapter"
    security_protocol: str | None = None
    sasl_mechanism: str = "PLAIN"
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    partitions: int = 8
    replicas: int | None = None
    retention: float = 60.0
    longest_batch: int = 900 * 1024
    connect_timeout: float = 5.0
    silence_timeout: float = 5.0
    most_unsent: int = 64 * 1024 * 1024

    @property
    def uses_tls(self) -> bool:
        """Whether connections are encrypted."""
        if self.security_protocol is None:
            return any((self.tls_ca, self.tls_cert, self.tls_key))
        return self.security_protocol in ("SSL", "SASL_SSL")

    @property
    def logs_in(self) -> bool:
        """Whether brokers are told who we are."""
        if self.security_protocol is None:
            return self.sasl_username is not None
        return self.security_protocol in ("SASL_PLAINTEXT", "SASL_SSL")


def parse_brokers(options: KafkaOptions) -> list[Address]:
    """Read the addresses, and look at what else can be wrong.

    Raises:
        DriverError: there is no address, one is none, the name of the topic is none, or a login lacks its user.
    """
    if not options.brokers:
        raise DriverError("adapter.kafka.brokers: expected at least one broker")
    if _TOPIC.fullmatch(options.prefix) is None or options.prefix in (".", ".."):
        raise DriverError("adapter.kafka.prefix: expected the name of a topic, at most 249 letters, digits and ._-")
    if options.logs_in and (options.sasl_username is None or options.sasl_password is None):
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
