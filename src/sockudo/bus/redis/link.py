"""A link to one Redis server: a publishing and a subscribing connection, which live and die together.

Strategy: the link sends a PING over both every few seconds, so a server that hangs and a network that swallows
everything count as lost too. It counts silence in probes and not in seconds: an event loop that was held up must not
take answers that it has not read yet for silence.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final

import hiredis

from sockudo.bus.redis.counts import Counts
from sockudo.bus.redis.publishing_connection import PublishingConnection, may_be_quiet
from sockudo.bus.redis.subscribing_connection import SubscribingConnection, SubscribingEvents
from sockudo.bus.redis.verbs import Verbs
from sockudo.errors import DriverError
from sockudo.redis_client.options import RedisTiming
from sockudo.redis_client.resp import Reply, RespConnection, encode
from sockudo.redis_client.server import RedisServer, ask, check_role, connect

_PING: Final = encode(b"PING")
_ROLE: Final = encode(b"ROLE")
_CLOSING: Final = 2.0


@dataclass(frozen=True, slots=True)
class RedisLinkEvents:
    """The callbacks of a link; it calls them in the event loop.

    Attributes:
        message, settled, gone, not_joined: as in `SubscribingEvents`.
        refused: the server refused a message with this error text.
        lost: the link is lost, for this reason; called once, and not for a link that its owner closes.
    """

    message: Callable[[str, bytes], None]
    settled: Callable[[bytes], None]
    gone: Callable[[bytes], None]
    not_joined: Callable[[str], None]
    refused: Callable[[str], None]
    lost: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Terms:
    """What all links of one adapter share.

    Attributes:
        test_name: a name without subscribers; each new link publishes to it and joins it, to learn whether it may.
    """

    verbs: Verbs
    timing: RedisTiming
    counts: Counts
    test_name: bytes | None = None


@dataclass(frozen=True, slots=True)
class ConnectionId:
    """What a server calls a publishing connection."""

    server: str
    client_id: bytes
    address: bytes


class RedisLink:
    """Two connections to one server, both logged in; `open_link` makes it."""

    def __init__(
        self,
        connections: tuple[RespConnection, RespConnection],
        server: RedisServer,
        terms: Terms,
        wanted: Mapping[bytes, str],
        events: RedisLinkEvents,
        *,
        is_quiet: bool,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._connections = connections
        self._server = server
        self._events = events
        self._counts = terms.counts
        self._timing = terms.timing
        self._silence = [0, 0]
        self._roles_asked = 0
        self._lost: asyncio.Future[str] = self._loop.create_future()
        self.identity: ConnectionId | None = None
        self.publisher = PublishingConnection(
            connections[0],
            terms.verbs.publish,
            on_other=self._publishing_replied,
            on_lost=self.fail,
            is_quiet=is_quiet,
        )
        self.subscriber = SubscribingConnection(
            connections[1],
            terms.verbs,
            wanted,
            terms.counts,
            SubscribingEvents(events.message, events.settled, events.gone, events.not_joined, lost=self.fail),
        )
        self._timer = self._loop.call_later(self._timing.probe_interval, self._probe)

    async def join_wanted(self) -> None:
        """Join every wanted name; return when the server has confirmed them.

        Raises:
            DriverError: the link was lost first.
        """
        await self._unless_lost(self.subscriber.join_wanted())

    def ask_role(self) -> None:
        """Ask the server for its role; the link fails where it is no longer a master."""
        self._roles_asked += 1
        self.publisher.ask(_ROLE)

    @property
    def is_doubtful(self) -> bool:
        """Whether the server has not yet answered what its role is."""
        return self._roles_asked > 0

    def fail(self, reason: str) -> None:
        """Give the link up."""
        if not self._lost.done():
            self._lost.set_result(reason)
            self._release()
            self._events.lost(reason)

    async def aclose(self) -> None:
        """Send the published messages and close, without a callback."""
        if not self._lost.done():
            # Messages that a dying server has not taken by then are lost, as they would be a moment later.
            with contextlib.suppress(TimeoutError, DriverError):
                async with asyncio.timeout(_CLOSING):
                    await self._unless_lost(self.publisher.finish())
        self.drop()
        for connection in self._connections:
            await connection.ended()

    def drop(self) -> None:
        """Close at once, without a callback."""
        if not self._lost.done():
            self._lost.set_result("closed")
        self._release()

    def _release(self) -> None:
        self._timer.cancel()
        self.subscriber.release()
        for connection in self._connections:
            connection.close()

    async def _unless_lost(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        either: set[asyncio.Future[Any]] = {task, self._lost}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not task.done():
                task.cancel()
        if self._lost.done():
            raise DriverError(self._lost.result())

    def _probe(self) -> None:
        for index, connection in enumerate(self._connections):
            self._silence[index] = 0 if connection.has_heard else self._silence[index] + 1
            connection.has_heard = False
        if max(self._silence) >= self._timing.probes:
            self.fail(f"the server did not answer {self._timing.probes} PINGs")
            return
        if self._server.must_be_master:
            self.ask_role()
        else:
            self.publisher.ask(_PING)
        self._connections[1].write(_PING)
        self._timer = self._loop.call_later(self._timing.probe_interval, self._probe)

    def _publishing_replied(self, reply: Reply) -> None:
        if isinstance(reply, hiredis.ReplyError):
            # A login with few rights may not use ROLE; that does not concern messages.
            if "'role'" in str(reply):
                self._roles_asked -= 1
            else:
                self._counts.refused += 1
                self._events.refused(str(reply))
        else:
            self._roles_asked -= 1
            try:
                check_role(reply, self._server)
            except DriverError as error:
                self.fail(str(error))


async def open_link(
    servers: tuple[RedisServer, RedisServer],
    terms: Terms,
    wanted: Mapping[bytes, str],
    events: RedisLinkEvents,
    previous: ConnectionId | None = None,
) -> RedisLink:
    """Connect to the server that takes messages and to the one that hands them out; mostly they are the same.

    Args:
        servers: both.
        terms: what all links of the adapter share.
        wanted: the names to join and their topics; belongs to the caller, which tells the subscriber of changes.
        events: the callbacks.
        previous: the connection that this link replaces. A server that hung may still hold messages of it, and
            nobody must hear those after newer ones, so the link has the server drop that connection.

    Raises:
        DriverError: a server cannot be reached or refuses.
    """
    opened: list[RespConnection] = []
    try:
        for server, verb in zip(servers, (terms.verbs.publish, terms.verbs.subscribe), strict=True):
            connection = await connect(server, terms.timing)
            opened.append(connection)
            if terms.test_name is not None:
                data = [b""] if verb == terms.verbs.publish else []
                await ask(connection, server, verb, terms.test_name, *data)
            if len(opened) == 1:
                identity = await _introduce(connection, server, previous)
                is_quiet = terms.verbs.may_be_quiet and await may_be_quiet(connection)
    except BaseException:
        for connection in opened:
            await connection.abandon()
        raise
    link = RedisLink((opened[0], opened[1]), servers[0], terms, wanted, events, is_quiet=is_quiet)
    link.identity = identity
    return link


async def _introduce(
    connection: RespConnection, server: RedisServer, previous: ConnectionId | None
) -> ConnectionId | None:
    """Learn what the server calls this connection; a login that may not ask is used without it."""
    if previous is not None and previous.server == server.name:
        await connection.request(b"CLIENT", b"KILL", b"ID", previous.client_id, b"ADDR", previous.address)
    number = await connection.request(b"CLIENT", b"ID")
    address = connection.address
    return ConnectionId(server.name, b"%d" % number, address.encode()) if isinstance(number, int) and address else None
