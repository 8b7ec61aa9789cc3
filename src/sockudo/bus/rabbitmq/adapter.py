"""The bus over RabbitMQ: a direct exchange, and a queue for each node, on a client of our own.

* A topic is a routing key, and being on it is a binding of the node's queue. A key has at most 255 bytes; a longer
  topic is represented by its hash.
* Joining is confirmed by the server that this node is connected to. Servers of one RabbitMQ cluster share bindings.
* The message id, which a bus has no other use for, carries the epoch of the publishing connection, and for a piece of
  a long message which piece it is.
* A server that is short of memory or disk takes no messages. The bus counts as lost until it does.
"""

from __future__ import annotations

import asyncio
import functools
import re
import ssl
from hashlib import sha256
from typing import Final

from sockudo.bus.base import Inbox
from sockudo.bus.broker.attachment import Attachment
from sockudo.bus.broker.connection import tls_context
from sockudo.bus.broker.labels import Labels
from sockudo.bus.broker.pieces import LONGEST_MESSAGE
from sockudo.bus.rabbitmq.link import RabbitLink
from sockudo.bus.rabbitmq.options import RabbitOptions, RabbitServer, parse_servers
from sockudo.bus.rabbitmq.wire import LONGEST_KEY, publish_frame
from sockudo.errors import DriverError
from sockudo.log import get_logger

_log = get_logger("sockudo.bus.rabbitmq.adapter")

# Frames that are kept, so that the topic of a busy channel is encoded once.
_FRAMES: Final = 10_000
# Servers may refuse messages of more than 16 MB.
_LONGEST_PIECE: Final = 4 * 1024 * 1024
# What an exchange may be called, as far as all servers and libraries agree, with room for the names of queues.
_PREFIX: Final = re.compile(r"[\w.:@#,/><-]{1,100}", re.ASCII)


class RabbitAdapter:
    """An `Adapter` on RabbitMQ.

    Attributes:
        dropped: messages that were published while the bus was lost.
        too_long: messages that were not sent because of their length.
    """

    def __init__(self, options: RabbitOptions) -> None:
        self._options = options
        self._context: ssl.SSLContext | None = None
        self._link: RabbitLink | None = None
        self._attachment: Attachment[RabbitServer] = Attachment(
            self._attach,
            lambda: {"topics": len(self._topics), "dropped": self.dropped},
            setting="adapter.rabbitmq.url",
        )
        self._topics: dict[str, bytes] = {}
        self._names: dict[bytes, str] = {}
        self._joins = 0
        self._labels = Labels()
        self._current = self._labels.current
        exchange = options.prefix.encode()
        self._frame = functools.lru_cache(_FRAMES)(lambda topic: publish_frame(exchange, routing_key(topic)))
        self.dropped = 0
        self.too_long = 0

    @property
    def is_connected(self) -> bool:
        """Whether a server is there, takes messages, and every topic is joined on it."""
        return self._attachment.is_up

    async def start(self, inbox: Inbox) -> None:
        """Connect to the first server that takes us.

        Raises:
            DriverError: there is none.
        """
        options = self._options
        if _PREFIX.fullmatch(options.prefix) is None:
            raise DriverError("adapter.rabbitmq.prefix: expected at most 100 letters, digits and -_.:@#,/><")
        servers = parse_servers(options)
        if any(server.tls for server in servers):
            self._context = tls_context("adapter.rabbitmq", options.tls_ca, options.tls_cert, options.tls_key)
        self._received = inbox.received
        await self._attachment.start(servers, inbox)

    def publish(self, topic: str, data: bytes) -> None:
        """Send `data` to every node on `topic`, this one too if it is on it."""
        # hot path
        link = self._link
        if not self._attachment.is_up or link is None:
            self.dropped += 1
        elif len(data) <= _LONGEST_PIECE:
            link.publish(self._frame(topic), self._labels.own, data)
        elif len(data) <= LONGEST_MESSAGE:
            for label, piece in self._labels.split(data, _LONGEST_PIECE):
                link.publish(self._frame(topic), label, piece)
        else:
            self.too_long += 1
            _log.error("message too long for the bus", bytes=len(data), limit=LONGEST_MESSAGE)

    def subscribe(self, topic: str) -> asyncio.Future[None]:
        """Join a topic, or catch up with it; all that is asked in one tick is confirmed by one answer."""
        link = self._link
        if topic in self._topics:
            if link is not None and self._attachment.is_up:
                return link.caught_up()
        else:
            self._joins += 1
            key = routing_key(topic)
            self._topics[topic] = key
            self._names[key] = topic
            if link is not None:
                link.bind(key)
                if self._attachment.is_up:
                    return link.confirm()
        joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        joined.set_result(None)
        return joined

    def unsubscribe(self, topic: str) -> None:
        """Leave a topic."""
        key = self._topics.pop(topic, None)
        if key is None:
            return
        del self._names[key]
        if self._link is not None:
            self._link.unbind(key)

    async def aclose(self) -> None:
        """Send what was published, leave and release everything."""
        await self._attachment.aclose()
        link, self._link = self._link, None
        if link is not None:
            await link.aclose()
        self._topics.clear()
        self._names.clear()

    # What the link says

    def _heard(self, key: bytes, label: bytes, body: bytes) -> None:
        # hot path
        topic = self._names.get(key)
        if topic is None:
            return
        if label in self._current:
            self._received(topic, body)
        elif (whole := self._labels.take(topic, label, body)) is not None:
            self._received(topic, whole)

    def _lost(self, link: RabbitLink, reason: str) -> None:
        if link is not self._link:
            return
        self._link = None
        self._attachment.lost(reason)

    # Connecting

    async def _attach(self, server: RabbitServer) -> None:
        link = RabbitLink(self._options, self._heard, self._lost)
        await link.open(server, self._context)
        self._link = link
        self._labels.begin()
        # One write for all topics; those that are joined meanwhile are sent by `subscribe`.
        for key in self._topics.values():
            link.bind(key)
        joins = -1
        while joins != self._joins:
            joins = self._joins
            await link.confirm()
        if link is not self._link:
            raise ConnectionResetError(link.reason)


def routing_key(topic: str) -> bytes:
    """Return the routing key of a topic; different topics have different keys."""
    raw = topic.encode("utf-8", "surrogatepass")
    # No topic begins like the other kind, because none has a control character.
    return raw if len(raw) <= LONGEST_KEY else b"\x01" + sha256(raw).hexdigest().encode()
