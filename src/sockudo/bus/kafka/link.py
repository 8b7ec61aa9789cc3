"""A link to a Kafka cluster: connections to every broker that leads a partition, which live and die together.

Everything that could double or reorder messages is left out: no consumer group, no retries, no batch that waits for
another leader. When a connection ends or a partition moves, the link is given up and another one begins at the ends of
the logs as they are then.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from zlib import crc32

from sockudo.bus.kafka.connection import KafkaConnection, connect
from sockudo.bus.kafka.leader import Joined, Leader, LeaderEvents
from sockudo.bus.kafka.options import Address, KafkaOptions
from sockudo.bus.kafka.records import Heard, labelled
from sockudo.bus.kafka.topic import fetch_layout, make_topic, settle_layout
from sockudo.bus.kafka.wire import NO_ERROR, UNKNOWN_TOPIC, Layout, error_name
from sockudo.eventual import Eventual, all_done

# What a batch may hold besides the data of a piece: its label, its topic, and the batch itself.
_ROOM: Final = 4096


@dataclass(frozen=True, slots=True)
class LinkEvents:
    """What a link tells: `lost` takes the link and the reason; see `LeaderEvents` for the others."""

    heard: Heard
    joined: Joined
    refused: Callable[[str], None]
    lost: Callable[[KafkaLink, str], None]


class KafkaLink:
    """A link; `open` makes it ready, and whatever ends it is told, once."""

    def __init__(self, options: KafkaOptions, context: ssl.SSLContext | None, events: LinkEvents) -> None:
        self._options = options
        self._context = context
        self._events: LinkEvents | None = events
        self._leader_events = LeaderEvents(events.heard, events.joined, self._compare, events.refused, self.drop)
        self._layout: Layout | None = None
        # By the partition that they lead.
        self._leaders: list[Leader] = []
        self.longest_piece = options.max_batch_kb * 1024 - _ROOM
        self._opened: list[Leader] = []
        self.is_open = True
        self.reason = ""

    async def open(self, bootstrap: Address) -> None:
        """Find the topic through one broker, and connect to those who lead it.

        Raises:
            OSError: a broker cannot be reached, or not in time.
            RefusedError: a broker does not want us.
        """
        timeout = self._options.connection_timeout_ms / 1000
        try:
            async with asyncio.timeout(timeout):
                layout = await self._find(bootstrap)
                led: dict[int, list[int]] = {}
                for partition, node in enumerate(layout.leaders):
                    led.setdefault(node, []).append(partition)
                leaders = {node: Leader(led[node], self._options, self._leader_events) for node in led}
                self._opened = list(leaders.values())
                for node, leader in leaders.items():
                    await leader.open(layout.brokers[node], self._context)
        except TimeoutError:
            self.drop("no answer")
            raise TimeoutError(f"no answer in {timeout:g} s") from None
        except BaseException:
            self.drop("not connected")
            raise
        self._leaders = [leaders[node] for node in layout.leaders]
        self._layout = layout
        if not self.is_open:
            raise ConnectionResetError(self.reason)

    def publish(self, address: bytes, label: bytes, data: bytes) -> None:
        """Send a message at the end of this tick; its address is the key of its record."""
        # hot path
        partition = crc32(address) % len(self._leaders)
        self._leaders[partition].publish(partition, (address, labelled(label, data)))

    def join(self, key: bytes) -> asyncio.Future[None]:
        """Ask from which offset on a key is heard; the future is done when that is told, or the link is lost."""
        partition = crc32(key) % len(self._leaders)
        return self._leaders[partition].join(partition, key)

    def caught_up(self, key: bytes) -> asyncio.Future[None]:
        """Return a future that is done once all that its partition has of a key now is heard, or the link is lost."""
        partition = crc32(key) % len(self._leaders)
        return self._leaders[partition].caught_up(partition)

    def taken(self) -> Eventual[None]:
        """Return a future that is done when the brokers have what was sent, or the link is lost; None where they do."""
        waiting = [taken for leader in self._opened if (taken := leader.taken()) is not None]
        return waiting[0] if len(waiting) == 1 else all_done(waiting)

    def drop(self, reason: str) -> None:
        """End the link at once."""
        if not self.is_open:
            return
        self.is_open = False
        self.reason = reason
        for leader in self._opened:
            leader.drop(reason)
        if self._events is not None:
            self._events.lost(self, reason)

    async def aclose(self) -> None:
        """Close when the brokers have taken everything that was sent; nobody is told."""
        self._events = None
        await asyncio.gather(*[leader.aclose() for leader in self._opened])
        self.drop("closed")

    async def _find(self, bootstrap: Address) -> Layout:
        connection = await connect(bootstrap, self._options, self._context, _ignore)
        try:
            layout = await fetch_layout(connection, self._options)
            if layout.error == UNKNOWN_TOPIC:
                # Only the controller makes topics. With KRaft that is any broker, as far as clients see.
                address = layout.brokers.get(layout.controller, bootstrap)
                controller = await connect(address, self._options, self._context, _ignore)
                try:
                    await make_topic(controller, self._options)
                finally:
                    controller.drop("done")
            return await settle_layout(connection, self._options)
        finally:
            connection.drop("done")

    def _compare(self, layout: Layout) -> None:
        # Another node might use partitions that this one does not know of.
        if layout.error != NO_ERROR:
            self.drop(f"topic {self._options.prefix}: {error_name(layout.error)}")
        elif self._layout is not None and layout.leaders != self._layout.leaders:
            self.drop("the partitions of the topic changed")


def _ignore(connection: KafkaConnection, reason: str) -> None:
    """Take no note of the end of a connection; those who wait for its answers are told."""
