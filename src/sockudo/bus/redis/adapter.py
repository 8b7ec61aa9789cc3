"""The bus over one Redis: PUBLISH over one connection, SUBSCRIBE over another.

Strategy: both connections are one link, which the adapter replaces as a whole when either is lost. A new link joins
every topic before the bus counts as restored. A topic that is joined meanwhile waits for its own confirmation.
"""

from __future__ import annotations

import asyncio
from typing import Final

from sockudo.bus.base import Inbox
from sockudo.bus.broker.waiters import Waiters, done
from sockudo.bus.redis.counts import Counts
from sockudo.bus.redis.link import ConnectionId, RedisLink, RedisLinkEvents, Terms, open_link
from sockudo.bus.redis.options import RedisOptions
from sockudo.bus.redis.verbs import PLAIN
from sockudo.errors import DriverError
from sockudo.log import get_logger
from sockudo.redis_client.sentinel import find_server
from sockudo.timing.backoff import delays

_log = get_logger("sockudo.redis")

_MOST_REFUSALS: Final = 20


class RedisAdapter:
    """An `Adapter` over one Redis, or over the master that sentinels name."""

    def __init__(self, options: RedisOptions) -> None:
        self._options = options
        self._prefix = options.section.prefix.encode()
        self.counts = Counts()
        self._terms = Terms(PLAIN, options.timing, self.counts, test_name=self._prefix)
        # The names of all wanted topics; links read it.
        self._topics: dict[bytes, str] = {}
        self._waiters: Waiters[bytes] = Waiters()
        self._inbox: Inbox | None = None
        # The link that joins or has joined the topics.
        self._link: RedisLink | None = None
        self._previous: ConnectionId | None = None
        self._reconnecting: asyncio.Task[None] | None = None
        self._is_connected = False
        self._refusals: set[str] = set()

    @property
    def is_connected(self) -> bool:
        """Whether both connections work and every topic is joined."""
        return self._is_connected

    async def start(self, inbox: Inbox) -> None:
        """Connect to Redis.

        Raises:
            DriverError: Redis cannot be reached or refuses; the message names the setting.
        """
        self._inbox = inbox
        await self._connect(inbox)

    def publish(self, topic: str, data: bytes) -> None:  # hot path
        """Send `data` to every node on `topic`, this one too if it is on it."""
        link = self._link
        if link is None or not self._is_connected:
            self.counts.dropped += 1
            return
        self.counts.published += 1
        link.publisher.publish(self._prefix + topic.encode(), data)

    def subscribe(self, topic: str) -> asyncio.Future[None]:
        """Join a topic, or catch up with it."""
        name = self._prefix + topic.encode()
        if name in self._topics:
            if self._link is None or not self._is_connected:
                return done()
            return self._link.subscriber.caught_up()
        self._topics[name] = topic
        if self._link is None:
            return done()
        self._link.subscriber.changed(name)
        return self._waiters.add(name)

    def unsubscribe(self, topic: str) -> None:
        """Leave a topic."""
        name = self._prefix + topic.encode()
        if self._topics.pop(name, None) is not None and self._link is not None:
            self._link.subscriber.changed(name)

    async def aclose(self) -> None:
        """Send the published messages, leave every topic and release everything."""
        self._is_connected = False
        if self._reconnecting is not None:
            self._reconnecting.cancel()
            await asyncio.wait({self._reconnecting})
            self._reconnecting = None
        link, self._link = self._link, None
        if link is not None:
            await link.aclose()
        self._waiters.release()

    async def _connect(self, inbox: Inbox) -> None:
        """Open a link and join every topic.

        Raises:
            DriverError: the link cannot be opened, or was lost before it had joined every topic.
        """
        options = self._options
        publishing = await find_server(options.target, options.timing)
        subscribing = publishing
        if options.subscribe_target is not None:
            subscribing = await find_server(options.subscribe_target, options.timing)
        events = RedisLinkEvents(
            message=inbox.received,
            settled=self._waiters.release_one,
            gone=lambda name: self._fail("the server ended a subscription"),
            not_joined=lambda text: self._fail(f"a subscription is refused: {text}"),
            refused=self._refused,
            lost=self._lost,
        )
        link = await open_link((publishing, subscribing), self._terms, self._topics, events, self._previous)
        self._link = link
        self._previous = link.identity or self._previous
        try:
            await link.join_wanted()
        except BaseException:
            self._link = None
            link.drop()
            raise
        self._is_connected = True

    def _lost(self, reason: str) -> None:
        """Note that the link is lost, and reconnect."""
        self._link = None
        self._waiters.release()
        if self._is_connected and self._inbox is not None:
            self._is_connected = False
            self._reconnecting = asyncio.get_running_loop().create_task(self._reconnect(self._inbox))
            self._inbox.lost(reason)

    async def _reconnect(self, inbox: Inbox) -> None:
        last = ""
        for delay in delays():
            await asyncio.sleep(delay)
            try:
                await self._connect(inbox)
            except DriverError as error:
                if str(error) != last:
                    last = str(error)
                    _log.warning("redis bus unreachable", reason=last)
                continue
            self.counts.reconnects += 1
            inbox.restored()
            return

    def _fail(self, reason: str) -> None:
        if self._link is not None:
            self._link.fail(reason)

    def _refused(self, text: str) -> None:
        # The log gets each text once; the counter counts all.
        if text not in self._refusals and len(self._refusals) < _MOST_REFUSALS:
            self._refusals.add(text)
            _log.warning("redis bus refuses a message", reason=text)
