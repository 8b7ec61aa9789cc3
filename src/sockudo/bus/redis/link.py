"""A link to one Redis server: a connection that publishes and one that subscribes, which live and die together.

Strategy: both are watched with a PING every few seconds, so that a server that hangs or a network that swallows
everything counts as lost too. Silence is counted in probes and not in seconds, so that an event loop that was held up
does not take the answers that it has not read yet for silence.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final

import hiredis

from sockudo.bus.redis.counts import Counts
from sockudo.bus.redis.publisher import Publisher
from sockudo.bus.redis.subscriber import Subscriber
from sockudo.bus.redis.verbs import Verbs
from sockudo.errors import DriverError
from sockudo.redis_client.options import RedisTiming
from sockudo.redis_client.resp import Reply, RespConnection, encode
from sockudo.redis_client.server import RedisServer, ask, check_role, connect

_PING: Final = encode(b"PING")
_ROLE: Final = encode(b"ROLE")
_CLOSING: Final = 2.0


@dataclass(frozen=True, slots=True)
class Events:
    """Whom a link tells what happens; all are called in the event loop."""

    message: Callable[[str, bytes], None]
    settled: Callable[[bytes], None]
    gone: Callable[[bytes], None]
    # A subscription was answered with an error.
    not_joined: Callable[[str], None]
    # A message was answered with an error.
    refused: Callable[[str], None]
    # Once, at the end, unless the link is closed by us.
    lost: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Terms:
    """What the links of one adapter have in common."""

    verbs: Verbs
    timing: RedisTiming
    counts: Counts
    # A name that nobody listens to: whether it may be published and joined is tried out at the beginning.
    test_name: bytes | None = None


@dataclass(frozen=True, slots=True)
class ConnectionId:
    """A publishing connection as its server knows it."""

    server: str
    client_id: bytes
    address: bytes


class RedisLink:
    """Two connections to one server, which are logged in. Make it with `open_link`."""

    def __init__(
        self,
        connections: tuple[RespConnection, RespConnection],
        server: RedisServer,
        terms: Terms,
        wanted: Mapping[bytes, str],
        events: Events,
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
        self.publisher = Publisher(
            connections[0], terms.verbs.publish, on_other=self._publishing_replied, on_lost=self.fail
        )
        self.subscriber = Subscriber(
            connections[1],
            terms.verbs,
            wanted,
            terms.counts,
            on_message=events.message,
            on_settled=events.settled,
            on_gone=events.gone,
            on_error=events.not_joined,
            on_lost=self.fail,
        )
        self._timer = self._loop.call_later(self._timing.probe_interval, self._probe)

    async def join_wanted(self) -> None:
        """Join everything that is wanted; return once it is confirmed.

        Raises:
            DriverError: the link was lost before.
        """
        await self._unless_lost(self.subscriber.join_wanted())

    def ask_role(self) -> None:
        """Make sure that the server is still a master; the link fails otherwise."""
        self._roles_asked += 1
        self._connections[0].write(_ROLE)

    @property
    def is_doubtful(self) -> bool:
        """Whether the server was asked for its role and has not answered yet."""
        return self._roles_asked > 0

    def fail(self, reason: str) -> None:
        """Give the link up."""
        if not self._lost.done():
            self._lost.set_result(reason)
            self._release()
            self._events.lost(reason)

    async def aclose(self) -> None:
        """Send what was published and close, without telling anyone."""
        if not self._lost.done():
            # What a dying server has not taken by then is lost, as it would have been a moment later.
            with contextlib.suppress(TimeoutError, DriverError):
                async with asyncio.timeout(_CLOSING):
                    await self._unless_lost(self.publisher.finish())
        self.drop()
        for connection in self._connections:
            await connection.ended()

    def drop(self) -> None:
        """Close at once, without telling anyone."""
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
        publishing, subscribing = self._connections
        if self._server.must_be_master:
            self.ask_role()
        else:
            publishing.write(_PING)
        subscribing.write(_PING)
        self._timer = self._loop.call_later(self._timing.probe_interval, self._probe)

    def _publishing_replied(self, reply: Reply) -> None:
        if isinstance(reply, hiredis.ReplyError):
            # A server that allows little may refuse ROLE; that is no matter of messages.
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
    events: Events,
    previous: ConnectionId | None = None,
) -> RedisLink:
    """Connect to the server to publish to and the one to subscribe at, which mostly are the same one.

    Args:
        servers: both.
        terms: what all links of the adapter have in common.
        wanted: the names to join and their topics; belongs to the caller, who tells the subscriber of changes.
        events: whom to tell what happens.
        previous: the connection that this link replaces. A server that hung may still hold messages of it, which
            must not be heard after newer ones, so it is told to drop that connection.

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
    except BaseException:
        for connection in opened:
            await connection.abandon()
        raise
    link = RedisLink((opened[0], opened[1]), servers[0], terms, wanted, events)
    link.identity = identity
    return link


async def _introduce(
    connection: RespConnection, server: RedisServer, previous: ConnectionId | None
) -> ConnectionId | None:
    """Learn how the server calls us; a server that does not allow that is used all the same."""
    if previous is not None and previous.server == server.name:
        await connection.request(b"CLIENT", b"KILL", b"ID", previous.client_id, b"ADDR", previous.address)
    number = await connection.request(b"CLIENT", b"ID")
    address = connection.address
    return ConnectionId(server.name, b"%d" % number, address.encode()) if isinstance(number, int) and address else None
