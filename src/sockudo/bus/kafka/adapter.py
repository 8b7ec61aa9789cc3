"""The bus over Kafka: one topic that every node reads, on a client of our own.

Topics of the bus come and go with channels, which topics of Kafka are not made for. So all of the bus is one topic of
Kafka, and a topic of the bus is the key of a record, which decides its partition. Every node fetches all of it,
without a consumer group, and drops what it is not on before it looks any further.

* A node hears what is published after it started: where the logs ended then is known before it counts as connected.
* A topic is heard from where its partition ended when it was joined.
* The label of a record carries the epoch of the publishing connection, and for a piece of a long message which piece it
  is. What a frozen broker does late with what it had read before is dropped by that.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Final

from sockudo.bus.base import Inbox
from sockudo.bus.broker.attachment import Attachment
from sockudo.bus.broker.connection import tls_context
from sockudo.bus.broker.labels import Labels
from sockudo.bus.broker.pieces import LONGEST_MESSAGE
from sockudo.bus.kafka.link import KafkaLink, LinkEvents
from sockudo.bus.kafka.options import Address, KafkaOptions, parse_brokers, show
from sockudo.bus.kafka.records import labelled, unlabelled
from sockudo.log import get_logger

_log = get_logger("sockudo.bus.kafka.adapter")

# What a batch may hold besides the data of a piece: its label, its topic, and the batch itself.
_ROOM: Final = 4096
_REFUSALS_LOGGED_EVERY: Final = 1000


class KafkaAdapter:
    """An `Adapter` on Kafka.

    Attributes:
        dropped: messages that were published while the bus was lost.
        too_long: messages that were not sent because of their length.
        refusals: batches that a broker refused because of their length.
    """

    def __init__(self, options: KafkaOptions) -> None:
        self._options = options
        self._context: ssl.SSLContext | None = None
        self._link: KafkaLink | None = None
        self._attachment: Attachment[Address] = Attachment(
            self._attach,
            lambda: {"topics": len(self._topics), "dropped": self.dropped},
            setting="adapter.kafka.brokers",
            show=show,
        )
        # By the key of their records: the topic, and the offset from which on it is heard.
        self._topics: dict[bytes, tuple[str, int]] = {}
        self._labels = Labels()
        self._current = self._labels.current
        self._longest_piece = options.longest_batch - _ROOM
        self.dropped = 0
        self.too_long = 0
        self.refusals = 0

    @property
    def is_connected(self) -> bool:
        """Whether all brokers that lead a partition of the topic are there."""
        return self._attachment.is_up

    async def start(self, inbox: Inbox) -> None:
        """Connect, through the first broker that takes us; make the topic where it is missing.

        Raises:
            DriverError: there is none, or one of those who lead the topic does not take us.
        """
        options = self._options
        brokers = parse_brokers(options)
        if options.uses_tls:
            self._context = tls_context("adapter.kafka", options.tls_ca, options.tls_cert, options.tls_key)
        self._received = inbox.received
        await self._attachment.start(brokers, inbox)

    def publish(self, topic: str, data: bytes) -> None:
        """Send `data` to every node on `topic`, this one too if it is on it."""
        # hot path
        link = self._link
        if not self._attachment.is_up or link is None:
            self.dropped += 1
        elif len(data) <= self._longest_piece:
            link.publish(record_key(topic), labelled(self._labels.own, data))
        elif len(data) <= LONGEST_MESSAGE:
            for label, piece in self._labels.split(data, self._longest_piece):
                link.publish(record_key(topic), labelled(label, piece))
        else:
            self.too_long += 1
            _log.error("message too long for the bus", bytes=len(data), limit=LONGEST_MESSAGE)

    def subscribe(self, topic: str) -> asyncio.Future[None]:
        """Join a topic, or catch up with it; all that is asked in one tick is asked together."""
        key = record_key(topic)
        is_joined = key in self._topics
        if not is_joined:
            # Until the answer is there, what comes may be from after it.
            self._topics[key] = topic, 0
        if self._attachment.is_up and self._link is not None:
            return self._link.caught_up(key) if is_joined else self._link.join(key)
        joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        joined.set_result(None)
        return joined

    def unsubscribe(self, topic: str) -> None:
        """Leave a topic."""
        self._topics.pop(record_key(topic), None)

    async def aclose(self) -> None:
        """Send what was published, leave and release everything."""
        await self._attachment.aclose()
        link, self._link = self._link, None
        if link is not None:
            await link.aclose()
        self._topics.clear()

    # What the link says

    def _heard(self, key: bytes, offset: int, value: bytes) -> None:
        # hot path
        place = self._topics.get(key)
        if place is None or offset < place[1]:
            return
        label, data = unlabelled(value)
        if label in self._current:
            self._received(place[0], data)
        elif (whole := self._labels.take(place[0], label, data)) is not None:
            self._received(place[0], whole)

    def _joined(self, key: bytes, offset: int) -> None:
        if key in self._topics:
            self._topics[key] = self._topics[key][0], offset

    def _refused(self, reason: str) -> None:
        self.refusals += 1
        if self.refusals % _REFUSALS_LOGGED_EVERY == 1:
            _log.error("refused by the broker", reason=reason, times=self.refusals, limit=self._options.longest_batch)

    def _lost(self, link: KafkaLink, reason: str) -> None:
        if link is not self._link:
            return
        self._link = None
        self._attachment.lost(reason)

    # Connecting

    async def _attach(self, broker: Address) -> None:
        # Offsets of a topic that was made anew begin at nothing again; and what comes is from now on in any case.
        self._topics = {key: (topic, 0) for key, (topic, _) in self._topics.items()}
        link = KafkaLink(self._options, self._context, LinkEvents(self._heard, self._joined, self._refused, self._lost))
        await link.open(broker)
        self._link = link
        self._labels.begin()


def record_key(topic: str) -> bytes:
    """Return the key of the records of a topic."""
    return topic.encode("utf-8", "surrogatepass")
