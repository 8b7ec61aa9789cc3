"""A command to a Redis, and the future of its reply."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Generic, TypeVar

import hiredis

from sockudo.errors import DriverError
from sockudo.redis_client.resp import Reply

T = TypeVar("T")

_LONGEST_TEXT: Final = 300


class RedisLost(DriverError):
    """Redis cannot be reached, or no server of a cluster takes the command. It may or may not have been carried out."""


class RedisRefusal(DriverError):
    """Redis answered a command with an error."""


class RedisRequest(Generic[T]):
    """A command that is sent to a server, and perhaps to another one after that.

    Attributes:
        data: the command as Redis reads it.
        future: fails with `DriverError` where there is no reply or the reply is an error. A caller may cancel it.
        patience: how long the reply may take (seconds).
        read: makes the result out of the reply.
        slot: the slot of the command's key in a Redis Cluster.
        fallback: makes the command to send instead where the server does not know the script that `data` names.
        at_once: the command is sent at once instead of at the end of the tick.
        sent: when the command was sent (time of the event loop).
        tries: how often a server declined it.
    """

    __slots__ = ("_verb", "at_once", "data", "fallback", "future", "patience", "read", "sent", "slot", "tries")

    def __init__(
        self,
        verb: bytes,
        data: bytes,
        patience: float,
        read: Callable[[Reply], T],
        *,
        slot: int = 0,
        fallback: Callable[[], bytes] | None = None,
        at_once: bool = False,
    ) -> None:
        self._verb = verb
        self.data = data
        self.future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.patience = patience
        self.read = read
        self.slot = slot
        self.fallback = fallback
        self.at_once = at_once
        self.sent = 0.0
        self.tries = 0

    def answer(self, reply: Reply, name: str) -> None:
        """Settle the future with a reply of a server, which messages call `name`."""
        if self.future.done():
            return
        if isinstance(reply, hiredis.ReplyError):
            # The texts of Redis name the user, the command and a few of its words.
            text = str(reply)[:_LONGEST_TEXT]
            self.future.set_exception(RedisRefusal(f"{name}: {self._verb.decode()} is refused: {text}"))
            return
        try:
            result = self.read(reply)
        except Exception as error:
            problem = f"{name}: the reply to {self._verb.decode()} is not understood ({type(error).__name__})"
            self.future.set_exception(DriverError(problem))
        else:
            self.future.set_result(result)

    def fail(self, reason: str) -> None:
        """Fail the future with `RedisLost`."""
        if not self.future.done():
            self.future.set_exception(RedisLost(reason))


def as_it_is(reply: Reply) -> Reply:
    """Return a reply unchanged."""
    return reply
