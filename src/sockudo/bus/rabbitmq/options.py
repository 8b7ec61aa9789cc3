"""Reads the options of the RabbitMQ adapter: the addresses of the servers, with their credentials."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

from sockudo.errors import DriverError

# Where no scheme follows, a comma is part of a password.
_SEPARATOR: Final = re.compile(r"\s*,\s*(?=amqps?://)")
_PORTS: Final = {"amqp": 5672, "amqps": 5671}


class RabbitOptions(Protocol):
    """The settings of the section `adapter.rabbitmq` that the driver reads; the section describes each."""

    url: str
    prefix: str
    tls_ca: str | None
    tls_cert: str | None
    tls_key: str | None
    connection_timeout_ms: int
    max_queue_mb: int

    @property
    def silence_timeout(self) -> float:
        """Seconds without a byte from the server after which the bus counts as lost."""
        ...


def heartbeat(options: RabbitOptions) -> int:
    """Return the heartbeat timeout to ask for; AMQP counts whole seconds, and a server sends two in that time."""
    return max(1, int(options.silence_timeout))


@dataclass(frozen=True, slots=True)
class RabbitServer:
    """One server: its address, with the credentials and the virtual host in it."""

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
        DriverError: an address is not valid, or is one without TLS although certificates are set.
    """
    servers = [_parse_server(text.strip()) for text in _SEPARATOR.split(options.url)]
    if any((options.tls_ca, options.tls_cert, options.tls_key)) and not all(server.tls for server in servers):
        # Else a connection that should be encrypted would not be.
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
