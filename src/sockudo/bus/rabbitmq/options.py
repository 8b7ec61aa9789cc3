"""What a RabbitMQ adapter is told: where the servers are and who we are to them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from sockudo.errors import DriverError

DEFAULT_URL: Final = "amqp://guest:guest@127.0.0.1:5672/%2f"
# Where no scheme follows, a comma is part of a password.
_SEPARATOR: Final = re.compile(r"\s*,\s*(?=amqps?://)")
_PORTS: Final = {"amqp": 5672, "amqps": 5671}


@dataclass(frozen=True, slots=True, kw_only=True)
class RabbitOptions:
    """Settings of `adapter.rabbitmq`. What is secret stays out of the text of this object.

    Attributes:
        url: addresses, `amqp://user:password@host:port/vhost` or `amqps://`, separated by commas; tried in order, again
            and again. Parameters in them are for whoever makes these options.
        prefix: the name of the exchange, and what the names of all queues begin with.
        tls_ca: certificates to trust instead of the system's.
        connect_timeout: seconds for one server, from the first packet to a message that has gone there and back.
        silence_timeout: seconds without a byte from the server after which the bus counts as lost; heartbeats are asked
            for that often, and AMQP counts them in whole seconds.
        most_unsent: bytes that may wait for the server; above that the bus counts as lost.
        most_queued: bytes that may wait at the server for this node; above that the bus counts as lost.
    """

    url: str = field(default=DEFAULT_URL, repr=False)
    prefix: str = "sockudo_adapter"
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    connect_timeout: float = 5.0
    silence_timeout: float = 5.0
    most_unsent: int = 64 * 1024 * 1024
    most_queued: int = 64 * 1024 * 1024

    @property
    def heartbeat(self) -> int:
        """Whole seconds between heartbeats, of which a server sends two in that time."""
        return max(1, int(self.silence_timeout))


@dataclass(frozen=True, slots=True)
class RabbitServer:
    """One server, and what its address carries."""

    host: str
    port: int
    tls: bool = False
    username: str = field(default="guest", repr=False)
    password: str = field(default="guest", repr=False)
    vhost: str = "/"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'amqps' if self.tls else 'amqp'}://{host}:{self.port}"


def parse_servers(options: RabbitOptions) -> list[RabbitServer]:
    """Read the addresses.

    Raises:
        DriverError: one is not an address, or is one without TLS where there are certificates.
    """
    servers = [_parse_server(text.strip()) for text in _SEPARATOR.split(options.url)]
    if any((options.tls_ca, options.tls_cert, options.tls_key)) and not all(server.tls for server in servers):
        # Else what was meant to be encrypted would not be.
        raise DriverError("adapter.rabbitmq.url: expected amqps:// with adapter.rabbitmq.tls_ca, tls_cert or tls_key")
    return servers


def _parse_server(text: str) -> RabbitServer:
    # The text is not quoted in a message, because it may carry a password.
    problem = DriverError("adapter.rabbitmq.url: expected amqp://user:password@host:port/vhost or amqps://...")
    try:
        url = urlsplit(text if "://" in text else f"amqp://{text}")
        port = url.port
    except ValueError:
        raise problem from None
    vhost = url.path.removeprefix("/")
    if url.scheme not in _PORTS or not url.hostname or "," in url.hostname:
        raise problem
    if ("/" in vhost and vhost != "/") or url.fragment:
        raise problem
    return RabbitServer(
        url.hostname,
        _PORTS[url.scheme] if port is None else port,
        url.scheme == "amqps",
        "guest" if url.username is None else unquote(url.username),
        "guest" if url.password is None else unquote(url.password),
        unquote(vhost) or "/",
    )
