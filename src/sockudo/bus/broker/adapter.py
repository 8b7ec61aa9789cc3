"""The base class of broker adapters: keeps the topics of this node, publishes to them and receives from them.

A subclass for each kind of broker opens a link: the connections to one broker, or to one cluster of brokers, which open
and close together. `BrokerLink` has everything that a link promises.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Final, Generic, Protocol, TypeVar

from sockudo.bus.base import Inbox
from sockudo.bus.broker.attachment import Attachment, Broker
from sockudo.bus.broker.labels import Labels
from sockudo.bus.broker.pieces import LONGEST_MESSAGE
from sockudo.bus.broker.waiters import done
from sockudo.log import get_logger

_log = get_logger("sockudo.bus")

_REFUSALS_LOGGED_EVERY: Final = 1000


class BrokerLink(Protocol):
    """An open link.

    Attributes:
        longest_piece: the most bytes that the broker takes as one message; a longer message is sent in pieces.
        reason: why the link is gone, if it is.
    """

    longest_piece: int
    reason: str

    def publish(self, address: bytes, label: bytes, data: bytes) -> None:
        """Send a message with its label at the end of this tick."""

    def caught_up(self, key: bytes) -> asyncio.Future[None]:
        """Return a future that is done when every message that waits at the broker is here, or the link is gone."""
        ...

    async def aclose(self) -> None:
        """Close when the broker has taken everything that was sent; does not call `lost`."""


Link = TypeVar("Link", bound=BrokerLink)


class BrokerAdapter(ABC, Generic[Broker, Link]):
    """An `Adapter` on a broker. Subclass it for each kind of broker.

    Messages of a topic are published to its address, and arrive with its key.

    Attributes:
        dropped: messages that were published while the bus was lost.
        too_long: messages that were not sent because of their length.
        refusals: how often the broker refused to publish or to join.
    """

    def __init__(
        self,
        kind: str,
        address: Callable[[str], bytes],
        *,
        setting: str,
        refusing_setting: str | None = None,
        show: Callable[[Broker], str] = str,
    ) -> None:
        """Take the traits that all adapters of a kind share.

        Args:
            kind: see `Attachment`, also for the arguments that are missing here.
            address: returns the address of a topic.
        """
        self._kind = kind
        self._address = address
        self._link: Link | None = None
        self._attachment: Attachment[Broker] = Attachment(
            kind,
            self._attach,
            lambda: {"topics": len(self._keys), "dropped": self.dropped},
            setting=setting,
            refusing_setting=refusing_setting,
            show=show,
        )
        self._keys: dict[str, bytes] = {}
        self._topics: dict[bytes, str] = {}
        self._joins = 0
        self._labels = Labels()
        self._current = self._labels.current
        self.dropped = 0
        self.too_long = 0
        self.refusals = 0

    @property
    def is_connected(self) -> bool:
        """Whether this node is connected to a broker and has joined every topic on it."""
        return self._attachment.is_up

    async def start(self, inbox: Inbox) -> None:
        """Connect to the first broker that accepts this node.

        Raises:
            DriverError: no broker does, or the options cannot be used.
        """
        brokers = self._read_options()
        self._received = inbox.received
        await self._attachment.start(brokers, inbox)

    def publish(self, topic: str, data: bytes) -> None:
        """Send `data` to every node on `topic`."""
        # hot path
        link = self._link
        if link is None or not self._attachment.is_up:
            self.dropped += 1
        elif len(data) <= link.longest_piece:
            link.publish(self._address(topic), self._labels.own, data)
        else:
            self._publish_in_pieces(link, topic, data)

    def subscribe(self, topic: str) -> asyncio.Future[None]:
        """Join a topic, or catch up with it; one answer of the broker serves all calls of a tick."""
        link, key = self._link, self._keys.get(topic)
        is_new = key is None
        if key is None:
            self._joins += 1
            key = self._keys[topic] = self._new_key(topic)
            self._topics[key] = topic
            if link is not None:
                self._join(link, topic, key)
        if link is None or not self._attachment.is_up:
            return done()
        return self._joined(link, key) if is_new else link.caught_up(key)

    def unsubscribe(self, topic: str) -> None:
        """Leave a topic."""
        key = self._keys.pop(topic, None)
        if key is None:
            return
        del self._topics[key]
        if self._link is not None:
            self._leave(self._link, key)

    async def aclose(self) -> None:
        """Send what was published, leave and release everything."""
        await self._attachment.aclose()
        link, self._link = self._link, None
        if link is not None:
            await link.aclose()
        self._keys.clear()
        self._topics.clear()

    # For subclasses

    @abstractmethod
    def _read_options(self) -> Sequence[Broker]:
        """Return the brokers; raise DriverError if the options cannot be used."""

    @abstractmethod
    async def _open(self, broker: Broker) -> Link:
        """Open a link, which calls `heard`, `refused` and `lost`; raise the errors that `Attachment` expects."""

    @abstractmethod
    def _new_key(self, topic: str) -> bytes:
        """Return the key of a topic that this node joins now."""

    @abstractmethod
    def _join(self, link: Link, topic: str, key: bytes) -> None:
        """Ask for the messages of a topic."""

    @abstractmethod
    def _joined(self, link: Link, key: bytes) -> asyncio.Future[None]:
        """Return a future that is done when the broker has confirmed a join, or the link is gone."""

    @abstractmethod
    def _leave(self, link: Link, key: bytes) -> None:
        """End the messages of a topic."""

    async def _join_all(self, link: Link) -> None:
        """Join all topics on a new link, in one write; `subscribe` joins the topics that are new meanwhile."""
        key = b""
        for topic, key in self._keys.items():
            self._join(link, topic, key)
        joins = -1
        while joins != self._joins:
            joins = self._joins
            await self._joined(link, key)

    # Called by the link

    def heard(self, key: bytes, label: bytes, data: bytes) -> None:
        """Hand one message on."""
        # hot path
        topic = self._topics.get(key)
        if topic is None:
            return
        if label in self._current:
            self._received(topic, data)
        elif (whole := self._labels.take(topic, label, data)) is not None:
            self._received(topic, whole)

    def refused(self, reason: str) -> None:
        """Count a refusal of the broker; log only some, because the broker may refuse every message."""
        self.refusals += 1
        if self.refusals % _REFUSALS_LOGGED_EVERY == 1:
            _log.error(f"{self._kind} bus refuses messages", reason=reason, times=self.refusals)

    def lost(self, link: Link, reason: str) -> None:
        """Note that a link is gone, and open another one."""
        if link is self._link:
            self._link = None
            self._attachment.lost(reason)

    async def _attach(self, broker: Broker) -> None:
        link = await self._open(broker)
        self._link = link
        self._labels.begin()
        await self._join_all(link)
        if link is not self._link:
            raise ConnectionResetError(link.reason)

    def _publish_in_pieces(self, link: Link, topic: str, data: bytes) -> None:
        if len(data) > LONGEST_MESSAGE:
            self.too_long += 1
            _log.error(f"{self._kind} bus message dropped: too long", bytes=len(data), limit=LONGEST_MESSAGE)
            return
        address = self._address(topic)
        for label, piece in self._labels.split(data, link.longest_piece):
            link.publish(address, label, piece)
