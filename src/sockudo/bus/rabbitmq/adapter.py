"""The bus over RabbitMQ: a direct exchange, and a queue for each node, with the project's own client.

* A topic is a routing key; a node joins it by a binding of its queue. A key has at most 255 bytes; a longer topic is
  represented by its hash.
* The server that this node is connected to confirms a join. Servers of one RabbitMQ cluster share bindings.
* The message id, which a bus has no other use for, carries the epoch of the publishing connection, and the index of a
  piece of a long message.
* A server that is short of memory or disk takes no messages. The bus counts as lost until it takes them again.
"""

from __future__ import annotations

import asyncio
import functools
import re
import ssl
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from sockudo.bus.broker.adapter import BrokerAdapter
from sockudo.bus.broker.connection import tls_context
from sockudo.bus.rabbitmq.link import RabbitLink
from sockudo.bus.rabbitmq.options import RabbitOptions, RabbitServer, parse_servers
from sockudo.bus.rabbitmq.wire import LONGEST_KEY, publish_frame
from sockudo.errors import DriverError

# The size of the cache of frames, so that the topic of a busy channel is encoded once.
_FRAMES: Final = 10_000
# Names of exchanges that all servers and libraries accept, with room for the names of queues.
_PREFIX: Final = re.compile(r"[\w.:@#,/><-]{1,100}", re.ASCII)


class RabbitAdapter(BrokerAdapter[RabbitServer, RabbitLink]):
    """An `Adapter` on RabbitMQ. The key of a topic is a routing key; its address is the first frame of a message."""

    def __init__(self, options: RabbitOptions) -> None:
        exchange = options.prefix.encode()
        super().__init__(
            "rabbitmq",
            functools.lru_cache(_FRAMES)(lambda topic: publish_frame(exchange, routing_key(topic))),
            setting="adapter.rabbitmq.url",
        )
        self._options = options
        self._context: ssl.SSLContext | None = None

    def _read_options(self) -> Sequence[RabbitServer]:
        options = self._options
        if _PREFIX.fullmatch(options.prefix) is None:
            raise DriverError("adapter.rabbitmq.prefix: expected at most 100 letters, digits and -_.:@#,/><")
        servers = parse_servers(options)
        if any(server.tls for server in servers):
            self._context = tls_context("adapter.rabbitmq", options.tls_ca, options.tls_cert, options.tls_key)
        return servers

    async def _open(self, broker: RabbitServer) -> RabbitLink:
        link = RabbitLink(self._options, self.heard, self.lost)
        await link.open(broker, self._context)
        return link

    def _new_key(self, topic: str) -> bytes:
        return routing_key(topic)

    def _join(self, link: RabbitLink, topic: str, key: bytes) -> None:
        link.bind(key)

    def _joined(self, link: RabbitLink, key: bytes) -> asyncio.Future[None]:
        return link.confirm()

    def _leave(self, link: RabbitLink, key: bytes) -> None:
        link.unbind(key)


def routing_key(topic: str) -> bytes:
    """Return the routing key of a topic; different topics have different keys."""
    raw = topic.encode("utf-8", "surrogatepass")
    # No short topic looks like a hashed one, because topics have no control characters.
    return raw if len(raw) <= LONGEST_KEY else b"\x01" + sha256(raw).hexdigest().encode()
