"""The subscribing connection of a link: joins and leaves names in batches, and hands messages on.

Strategy: all commands of one tick leave in one write (`joins.py` says which). A PING, which the server answers after
all messages that it took before, tells when this connection has caught up; one PING serves all callers of a tick.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import hiredis

from sockudo.bus.broker.connection import settle
from sockudo.bus.redis.counts import Counts
from sockudo.bus.redis.joins import JoinAnswer, Joins
from sockudo.bus.redis.verbs import Verbs
from sockudo.redis_client.resp import Reply, RespConnection, encode

_BARRIER: Final = b"everything before this was heard"
_PING: Final = encode(b"PING", _BARRIER)


@dataclass(frozen=True, slots=True)
class SubscribingEvents:
    """The callbacks of a subscriber; it calls them in the event loop.

    Attributes:
        message: takes the topic and the data of each message.
        settled: the server has confirmed the last command about this name.
        gone: the server ended the subscription to this name by itself.
        not_joined: the server refused a subscription with this error text.
        lost: the connection is lost, for this reason; called once.
    """

    message: Callable[[str, bytes], None]
    settled: Callable[[bytes], None]
    gone: Callable[[bytes], None]
    not_joined: Callable[[str], None]
    lost: Callable[[str], None]


class SubscribingConnection:
    """Subscribes over one connection, which is logged in and only streams from now on."""

    def __init__(
        self,
        connection: RespConnection,
        verbs: Verbs,
        wanted: Mapping[bytes, str],
        counts: Counts,
        events: SubscribingEvents,
    ) -> None:
        """Take the connection over.

        Args:
            connection: belongs to the subscriber from now on.
            verbs: the commands to use.
            wanted: the names to join and their topics; belongs to the caller, which calls `changed` for each change.
            counts: counts the messages.
            events: the callbacks.
        """
        self._connection = connection
        self._verbs = verbs
        self._wanted = wanted
        self._counts = counts
        self._events = events
        self._on_message = events.message
        self._message = verbs.message
        self._joins = Joins(wanted)
        self._is_woken = False
        # The futures that wait for the next PING to leave, and those of each PING that has left.
        self._behind: list[asyncio.Future[None]] = []
        self._barriers: deque[list[asyncio.Future[None]]] = deque()
        connection.stream(self._replied, events.lost)

    def changed(self, name: bytes) -> None:
        """Look at a name again at the end of this tick, because it is wanted now or no longer."""
        self._joins.mark(name)
        self._wake()

    def caught_up(self) -> asyncio.Future[None]:
        """Return a future that is done when every earlier command is answered and every earlier message is heard."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._behind.append(future)
        self._wake()
        return future

    async def join_wanted(self) -> None:
        """Join every wanted name; return when the server has confirmed them, or the connection is given up."""
        self._joins.mark_wanted()
        joined = self.caught_up()
        self._flush()
        await joined

    def release(self) -> None:
        """Settle every future, because the connection is given up."""
        for waiting in (*self._barriers, self._behind):
            for future in waiting:
                settle(future)
        self._barriers.clear()
        self._behind = []

    def forget(self, name: bytes) -> None:
        """Note that the server refused a name."""
        self._joins.forget(name)

    def _wake(self) -> None:
        if not self._is_woken:
            self._is_woken = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._is_woken = False
        difference = self._joins.compare()
        commands = [encode(self._verbs.unsubscribe, *batch) for batch in self._verbs.batches(difference.leave)]
        commands += [encode(self._verbs.subscribe, *batch) for batch in self._verbs.batches(difference.join)]
        if self._behind:
            self._barriers.append(self._behind)
            self._behind = []
            commands.append(_PING)
        if commands:
            self._connection.write(b"".join(commands))
        for name in difference.settled:
            self._events.settled(name)

    def _replied(self, reply: Reply) -> None:  # hot path
        if type(reply) is list and reply[0] == self._message:
            topic = self._wanted.get(reply[1])
            # Messages of a name still arrive for a moment after it was left.
            if topic is not None:
                self._counts.received += 1
                self._on_message(topic, reply[2])
            return
        self._answered(reply)

    def _answered(self, reply: Reply) -> None:
        if isinstance(reply, hiredis.ReplyError):
            self._events.not_joined(str(reply))
        elif reply == _BARRIER or (isinstance(reply, list) and reply[-1] == _BARRIER):
            for future in self._barriers.popleft() if self._barriers else ():
                settle(future)
        elif isinstance(reply, list) and reply[0] in (self._verbs.subscribed, self._verbs.unsubscribed):
            self._confirmed(reply[1], has_left=reply[0] == self._verbs.unsubscribed)

    def _confirmed(self, name: bytes, *, has_left: bool) -> None:
        answer = self._joins.answered(name)
        if answer is JoinAnswer.LAST:
            self._events.settled(name)
        elif answer is JoinAnswer.UNASKED and has_left:
            # The slot of the name belongs to another master now.
            self._joins.forget(name)
            self._events.gone(name)
