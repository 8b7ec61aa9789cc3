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
from collections.abc import Callable, Sequence

from sockudo.bus.broker.adapter import BrokerAdapter
from sockudo.bus.broker.connection import tls_context
from sockudo.bus.kafka.link import KafkaLink, LinkEvents
from sockudo.bus.kafka.options import Address, KafkaOptions, parse_brokers, show, uses_tls
from sockudo.bus.kafka.records import unlabelled


class KafkaAdapter(BrokerAdapter[Address, KafkaLink]):
    """An `Adapter` on Kafka. The key of a record is both the address and the key of a topic."""

    def __init__(self, options: KafkaOptions) -> None:
        super().__init__("kafka", record_key, setting="adapter.kafka.brokers", show=show)
        self._options = options
        self._context: ssl.SSLContext | None = None
        # The offsets from which on topics are heard that were joined since the link was opened.
        self._starts: dict[bytes, int] = {}

    def after_taken(self, step: Callable[[], None]) -> None:
        """Call back when the brokers have what was published until now, or hang, or are lost."""
        # Behind the write of this tick.
        asyncio.get_running_loop().call_soon(self._when_taken, step)

    def _when_taken(self, step: Callable[[], None]) -> None:
        # hot path
        link = self._link
        taken = None if link is None else link.taken()
        if taken is None:
            step()
        else:
            taken.add_done_callback(lambda _: step())

    def _read_options(self) -> Sequence[Address]:
        options = self._options
        brokers = parse_brokers(options)
        if uses_tls(options):
            self._context = tls_context("adapter.kafka", options.tls_ca, options.tls_cert, options.tls_key)
        return brokers

    async def _open(self, broker: Address) -> KafkaLink:
        # Offsets of a topic that was made anew begin at nothing again; and what comes is from now on in any case.
        self._starts.clear()
        events = LinkEvents(self._fetched, self._starts_at, self._too_large, self.lost)
        link = KafkaLink(self._options, self._context, events)
        await link.open(broker)
        return link

    def _new_key(self, topic: str) -> bytes:
        return record_key(topic)

    def _join(self, link: KafkaLink, topic: str, key: bytes) -> None:
        """Do nothing: every node fetches everything, and until it is joined, what comes may be from after that."""

    def _joined(self, link: KafkaLink, key: bytes) -> asyncio.Future[None]:
        return link.join(key)

    def _leave(self, link: KafkaLink, key: bytes) -> None:
        self._starts.pop(key, None)

    async def _join_all(self, link: KafkaLink) -> None:
        """Do nothing: what a new link fetches is from after it was opened."""

    # What the link tells

    def _fetched(self, key: bytes, offset: int, value: bytes) -> None:
        # hot path
        topic = self._topics.get(key)
        if topic is None or offset < self._starts.get(key, 0):
            return
        label, data = unlabelled(value)
        if label in self._current:
            self._received(topic, data)
        elif (whole := self._labels.take(topic, label, data)) is not None:
            self._received(topic, whole)

    def _too_large(self, reason: str) -> None:
        self.refused(f"{reason}: set adapter.kafka.max_batch_kb, {self._options.max_batch_kb}, to what the topic takes")

    def _starts_at(self, key: bytes, offset: int) -> None:
        if key in self._topics:
            self._starts[key] = offset


def record_key(topic: str) -> bytes:
    """Return the key of the records of a topic."""
    return topic.encode("utf-8", "surrogatepass")
