"""The bus over NATS: core publish and subscribe, on a client of our own.

`nats-py` costs several times as much for each message (`benchmarks/nats_bus.py`), most of it in queues and tasks for
each subscription that a bus with one receiver has no use for.

* A topic is one token of a subject, `<prefix>.<topic>`, so permissions can be given for `<prefix>.>`. The server sends
  nothing back to the node that published it.
* Joining is confirmed by the server that this node is connected to. Servers of one NATS cluster tell each other a
  moment later what was joined; core NATS has no way to wait for that.
* The reply subject, which a bus has no other use for, carries the epoch of the publishing connection; and where a
  message is above the server's `max_payload` and goes in pieces, which piece it is.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from typing import Final

from sockudo.bus.base import Inbox
from sockudo.bus.broker.attachment import Attachment
from sockudo.bus.broker.connection import tls_context
from sockudo.bus.broker.labels import Labels
from sockudo.bus.broker.pieces import LONGEST_MESSAGE
from sockudo.bus.nats.connection import NatsConnection, connect
from sockudo.bus.nats.options import Identity, NatsOptions, NatsServer, parse_servers
from sockudo.bus.nats.wire import encode_prefix, encode_token
from sockudo.log import get_logger

_log = get_logger("sockudo.bus.nats.adapter")

# Subjects that are kept, so that a busy channel is encoded once.
_SUBJECTS: Final = 10_000
_REFUSALS_LOGGED_EVERY: Final = 1000


class NatsAdapter:
    """An `Adapter` on NATS.

    Attributes:
        dropped: messages that were published while the bus was lost.
        too_long: messages that were not sent because of their length.
        refusals: what the server refused, of publishing or joining.
    """

    def __init__(self, options: NatsOptions) -> None:
        self._options = options
        self._identity: Identity | None = None
        self._context: ssl.SSLContext | None = None
        self._connection: NatsConnection | None = None
        self._attachment: Attachment[NatsServer] = Attachment(
            self._attach,
            lambda: {"topics": len(self._topics), "dropped": self.dropped},
            setting="adapter.nats.servers",
            refusing_setting=options.credentials_setting,
        )
        self._topics: dict[str, bytes] = {}
        self._names: dict[bytes, str] = {}
        self._joins = 0
        self._labels = Labels()
        self._current = self._labels.current
        prefix = encode_prefix(options.prefix)
        self._subject = functools.lru_cache(_SUBJECTS)(lambda topic: b"%b.%b" % (prefix, encode_token(topic)))
        self.dropped = 0
        self.too_long = 0
        self.refusals = 0

    @property
    def is_connected(self) -> bool:
        """Whether a server is there and every topic is joined on it."""
        return self._attachment.is_up

    async def start(self, inbox: Inbox) -> None:
        """Connect to the first server that takes us.

        Raises:
            DriverError: there is none.
        """
        servers = parse_servers(self._options)
        self._identity = Identity(self._options)
        options = self._options
        self._context = tls_context("adapter.nats", options.tls_ca, options.tls_cert, options.tls_key)
        self._received = inbox.received
        await self._attachment.start(servers, inbox)

    def publish(self, topic: str, data: bytes) -> None:
        """Send `data` to every other node on `topic`."""
        # hot path
        connection = self._connection
        if not self._attachment.is_up or connection is None:
            self.dropped += 1
        elif len(data) <= connection.max_payload:
            connection.send(b"PUB %b %b %d\r\n%b\r\n" % (self._subject(topic), self._labels.own, len(data), data))
        else:
            self._publish_in_pieces(connection, topic, data)

    def subscribe(self, topic: str) -> asyncio.Future[None]:
        """Join a topic, or catch up with it; all that is asked in one tick is confirmed by one answer."""
        connection = self._connection
        if topic in self._topics:
            if connection is not None and self._attachment.is_up:
                return connection.caught_up()
        else:
            self._joins += 1
            subscription = b"%d" % self._joins
            self._topics[topic] = subscription
            self._names[subscription] = topic
            if connection is not None:
                connection.send(b"SUB %b %b\r\n" % (self._subject(topic), subscription))
                if self._attachment.is_up:
                    return connection.confirm()
        joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        joined.set_result(None)
        return joined

    def unsubscribe(self, topic: str) -> None:
        """Leave a topic."""
        subscription = self._topics.pop(topic, None)
        if subscription is None:
            return
        del self._names[subscription]
        if self._connection is not None:
            self._connection.send(b"UNSUB %b\r\n" % subscription)

    async def aclose(self) -> None:
        """Send what was published, leave and release everything."""
        await self._attachment.aclose()
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.aclose()
        self._topics.clear()
        self._names.clear()

    # What the connection says

    def message(self, subscription: bytes, reply: bytes, payload: bytes) -> None:
        """Hand one message on."""
        # hot path
        topic = self._names.get(subscription)
        if topic is None:
            return
        if reply in self._current:
            self._received(topic, payload)
        elif (whole := self._labels.take(topic, reply, payload)) is not None:
            self._received(topic, whole)

    def refused(self, reason: str) -> None:
        """Note what the server refused; each message may be refused, so not every one is logged."""
        self.refusals += 1
        if self.refusals % _REFUSALS_LOGGED_EVERY == 1:
            _log.error("refused by the server", reason=reason, times=self.refusals)

    def disconnected(self, connection: NatsConnection, reason: str) -> None:
        """Note that a connection is gone, and look for another one."""
        if connection is not self._connection:
            return
        self._connection = None
        self._attachment.lost(reason)

    # Connecting

    async def _attach(self, server: NatsServer) -> None:
        assert self._identity is not None, "started"
        assert self._context is not None, "started"
        connection = await connect(server, self._options, self._identity, self._context, self)
        self._connection = connection
        self._labels.begin()
        # One write for all topics; those that are joined meanwhile are sent by `subscribe`.
        for topic, subscription in self._topics.items():
            connection.send(b"SUB %b %b\r\n" % (self._subject(topic), subscription))
        joins = -1
        while joins != self._joins:
            joins = self._joins
            await connection.confirm()
        if connection is not self._connection:
            raise ConnectionResetError(connection.reason)

    def _publish_in_pieces(self, connection: NatsConnection, topic: str, data: bytes) -> None:
        if len(data) > LONGEST_MESSAGE:
            self.too_long += 1
            _log.error("message too long for the bus", bytes=len(data), limit=LONGEST_MESSAGE)
            return
        subject = self._subject(topic)
        for label, piece in self._labels.split(data, connection.max_payload):
            connection.send(b"PUB %b %b %d\r\n%b\r\n" % (subject, label, len(piece), piece))
