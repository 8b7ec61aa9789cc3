"""The subscribing end of a link: joins and leaves in batches, and hands messages on.

Strategy: `wanted` says what should be joined. A change marks a name; at the end of the tick what is wanted is compared
with what was last asked for, and only the difference is sent. The server answers in order, one answer for each name,
so a name is settled when its last answer has come. Joining, leaving and joining within one tick sends nothing at all.
A PING, whose answer comes behind all messages that the server had before, tells when a name is caught up with; one is
enough for all that ask in one tick.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import hiredis

from sockudo.bus.broker.connection import settle
from sockudo.bus.redis.counts import Counts
from sockudo.bus.redis.verbs import Verbs
from sockudo.redis_client.resp import Reply, RespConnection, encode

_BARRIER: Final = b"everything before this was heard"
_PING: Final = encode(b"PING", _BARRIER)


class Subscriber:
    """Subscribes over one connection, which must be logged in and is streamed from now on."""

    def __init__(
        self,
        connection: RespConnection,
        verbs: Verbs,
        wanted: Mapping[bytes, str],
        counts: Counts,
        *,
        on_message: Callable[[str, bytes], None],
        on_settled: Callable[[bytes], None],
        on_gone: Callable[[bytes], None],
        on_error: Callable[[str], None],
        on_lost: Callable[[str], None],
    ) -> None:
        """Take the connection over.

        Args:
            connection: ours from now on.
            verbs: the commands to use.
            wanted: the names to be joined and their topics; belongs to the caller, who tells of its `changed` names.
            counts: where messages are counted.
            on_message: called with the topic and the data of each message.
            on_settled: called when the server has confirmed the last thing that was asked for a name.
            on_gone: called when the server took a name from us.
            on_error: called with the text of an error reply.
            on_lost: called once when the connection is lost.
        """
        self._connection = connection
        self._verbs = verbs
        self._wanted = wanted
        self._counts = counts
        self._on_message = on_message
        self._on_settled = on_settled
        self._on_gone = on_gone
        self._on_error = on_error
        self._message = verbs.message
        # The names for which a subscription was the last thing asked, and how many answers each name still lacks.
        self._asked: set[bytes] = set()
        self._unanswered: dict[bytes, int] = {}
        self._changed: dict[bytes, None] = {}
        self._is_woken = False
        # Who waits for the next PING to be sent, and for the answers to those that were.
        self._behind: list[asyncio.Future[None]] = []
        self._barriers: deque[list[asyncio.Future[None]]] = deque()
        connection.stream(self._replied, on_lost)

    def changed(self, name: bytes) -> None:
        """Look at a name again at the end of this tick, because it is wanted now or is not any more."""
        self._changed[name] = None
        self._wake()

    def caught_up(self) -> asyncio.Future[None]:
        """Return a future that is done once all that was asked and published before has been answered and heard."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._behind.append(future)
        self._wake()
        return future

    async def join_wanted(self) -> None:
        """Join everything that is wanted now and return once it is confirmed, or the connection is given up."""
        self._changed = dict.fromkeys(self._wanted)
        joined = self.caught_up()
        self._flush()
        await joined

    def release(self) -> None:
        """Let everyone go who waits: the connection is given up."""
        for waiting in (*self._barriers, self._behind):
            for future in waiting:
                settle(future)
        self._barriers.clear()
        self._behind = []

    def forget(self, name: bytes) -> None:
        """Note that the server refused or took a name."""
        self._unanswered.pop(name, None)
        self._asked.discard(name)

    def _wake(self) -> None:
        if not self._is_woken:
            self._is_woken = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._is_woken = False
        changed, self._changed = self._changed, {}
        join: list[bytes] = []
        leave: list[bytes] = []
        settled: list[bytes] = []
        for name in changed:
            if (name in self._wanted) != (name in self._asked):
                (leave if name in self._asked else join).append(name)
            elif name not in self._unanswered:
                settled.append(name)
        self._asked.difference_update(leave)
        self._asked.update(join)
        for name in (*leave, *join):
            self._unanswered[name] = self._unanswered.get(name, 0) + 1
        commands = [encode(self._verbs.unsubscribe, *batch) for batch in self._verbs.batches(leave)]
        commands += [encode(self._verbs.subscribe, *batch) for batch in self._verbs.batches(join)]
        if self._behind:
            self._barriers.append(self._behind)
            self._behind = []
            commands.append(_PING)
        if commands:
            self._connection.write(b"".join(commands))
        for name in settled:
            self._on_settled(name)

    def _replied(self, reply: Reply) -> None:  # hot path
        if type(reply) is list and reply[0] == self._message:
            topic = self._wanted.get(reply[1])
            # A name that was left may still be heard for a moment.
            if topic is not None:
                self._counts.received += 1
                self._on_message(topic, reply[2])
            return
        self._answered(reply)

    def _answered(self, reply: Reply) -> None:
        if isinstance(reply, hiredis.ReplyError):
            self._on_error(str(reply))
        elif reply == _BARRIER or (isinstance(reply, list) and reply[-1] == _BARRIER):
            for future in self._barriers.popleft() if self._barriers else ():
                settle(future)
        elif isinstance(reply, list) and reply[0] in (self._verbs.subscribed, self._verbs.unsubscribed):
            self._confirmed(reply[1], has_left=reply[0] == self._verbs.unsubscribed)

    def _confirmed(self, name: bytes, *, has_left: bool) -> None:
        left = self._unanswered.get(name, 0)
        if left == 0:
            # Not an answer: the server took the name, because its slot belongs to another one now.
            if has_left:
                self.forget(name)
                self._on_gone(name)
            return
        if left > 1:
            self._unanswered[name] = left - 1
            return
        del self._unanswered[name]
        self._on_settled(name)
