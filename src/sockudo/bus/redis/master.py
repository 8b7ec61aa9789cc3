"""One master of a Redis Cluster: its link, which it opens again for ever, and the names that it serves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, Final

from sockudo.bus.redis.link import ConnectionId, RedisLink, RedisLinkEvents, Terms, open_link
from sockudo.errors import DriverError
from sockudo.redis_client.key_slot import key_slot
from sockudo.redis_client.server import RedisServer
from sockudo.timing.backoff import delays

_ATTEMPTS: Final = 2000


@dataclass(frozen=True, slots=True)
class MasterEvents:
    """The callbacks of a master.

    Attributes:
        message, settled, gone, not_joined, refused: as in `link.RedisLinkEvents`.
        ready: the link works and every wanted name is joined.
        lost: the link is lost, for this reason.
        unreachable: the link cannot be opened, for this reason.
    """

    message: Callable[[str, bytes], None]
    settled: Callable[[Master, bytes], None]
    gone: Callable[[Master, bytes], None]
    not_joined: Callable[[Master, str], None]
    refused: Callable[[str], None]
    ready: Callable[[Master], None]
    lost: Callable[[Master, str], None]
    unreachable: Callable[[Master, str], None]


class Master:
    """The link to one master.

    Attributes:
        wanted: the names to join there, and their topics.
        link: the link that joins or has joined the names; None while there is none.
        is_ready: whether the link works and has joined every name.
    """

    def __init__(self, server: RedisServer, terms: Terms, prefix: bytes, events: MasterEvents) -> None:
        self.server = server
        self.wanted: dict[bytes, str] = {}
        self.link: RedisLink | None = None
        self.is_ready = False
        self._terms = terms
        self._prefix = prefix
        self._events = events
        self._previous: ConnectionId | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self, is_ours: Callable[[int], bool]) -> None:
        """Open the link and join the names.

        Args:
            is_ours: tells whether this server serves a slot.

        Raises:
            DriverError: the server cannot be reached, refuses, or was lost before every name was joined.
        """
        events = self._events
        mine = RedisLinkEvents(
            events.message,
            lambda name: events.settled(self, name),
            self._gone,
            lambda text: events.not_joined(self, text),
            events.refused,
            self._lost,
        )
        terms = replace(self._terms, test_name=self._test_name(is_ours))
        link = await open_link((self.server, self.server), terms, self.wanted, mine, self._previous)
        self.link = link
        self._previous = link.identity or self._previous
        try:
            await link.join_wanted()
        except BaseException:
            self.link = None
            link.drop()
            raise
        self.is_ready = True

    def keep_open(self, is_ours: Callable[[int], bool]) -> None:
        """Open the link in the background, for ever."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._keep_open(is_ours))

    async def _keep_open(self, is_ours: Callable[[int], bool]) -> None:
        for delay in delays():
            try:
                await self.open(is_ours)
            except DriverError as error:
                self._events.unreachable(self, str(error))
                await asyncio.sleep(delay)
                continue
            self._events.ready(self)
            return

    def _gone(self, name: bytes) -> None:
        # A master that became a replica ends all subscriptions. It would then accept them again and pass on what its
        # new master tells it, so names must not be joined there.
        if self.link is not None:
            self.link.ask_role()
        self._events.gone(self, name)

    @property
    def is_doubtful(self) -> bool:
        """Whether the server may no longer be a master."""
        return self.link is not None and self.link.is_doubtful

    def _lost(self, reason: str) -> None:
        self.link = None
        if self.is_ready:
            self.is_ready = False
            self._events.lost(self, reason)

    def retire(self) -> Coroutine[Any, Any, None]:
        """Call nobody back from now on; await the result to send the published messages and close."""
        self.is_ready = False
        link, self.link = self.link, None
        return self._close(link)

    async def _close(self, link: RedisLink | None) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        if link is not None:
            await link.aclose()

    def _test_name(self, is_ours: Callable[[int], bool]) -> bytes | None:
        """Find a name without subscribers in a slot of this server; None where the server has next to no slots."""
        names = (b"%b?%d" % (self._prefix, number) for number in range(_ATTEMPTS))
        return next((name for name in names if is_ours(key_slot(name))), None)
