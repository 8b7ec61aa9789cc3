"""The client of the stores: for one Redis, the master that sentinels name, or a Redis Cluster.

A store may be asked for every request of a server, so commands are pipelined, and those of one tick share a write. The
client shares its parts with the bus: URLs, logins, sentinels, slot maps.
"""

from __future__ import annotations

import asyncio
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import hiredis

from sockudo.redis_client.key_slot import key_slot
from sockudo.redis_client.line import Line
from sockudo.redis_client.options import RedisTiming
from sockudo.redis_client.request import RedisRequest, as_it_is
from sockudo.redis_client.resp import Reply, encode

T = TypeVar("T")

_PING: Final = encode(b"PING")


class Script:
    """A Lua script. A server gets its text once and its hash from then on."""

    __slots__ = ("_digest", "_text")

    def __init__(self, text: str) -> None:
        self._text = text.encode()
        # Redis identifies scripts by this hash; nothing about it is secret.
        self._digest = hashlib.sha1(self._text, usedforsecurity=False).hexdigest().encode()

    def by_hash(self, keys: Sequence[bytes], arguments: Sequence[bytes]) -> bytes:
        """Write the command for a server that knows the script."""
        return encode(b"EVALSHA", self._digest, b"%d" % len(keys), *keys, *arguments)

    def whole(self, keys: Sequence[bytes], arguments: Sequence[bytes]) -> bytes:
        """Write the command for a server that does not know the script."""
        return encode(b"EVAL", self._text, b"%d" % len(keys), *keys, *arguments)


class RedisClient(ABC):
    """Sends commands to a Redis. The server carries out the commands for one key in the order in which they were sent.

    Only the asynchronous methods wait. A future fails with `RedisLost` while the server cannot be reached (at once, so
    nothing piles up), and with `RedisRefusal` when the server answers with an error. Both are `DriverError`s that name
    the setting. A command that blocks holds up every command behind it, so it needs a client of its own.

    Attributes:
        on_restored: called whenever servers that were away can be used again.
    """

    def __init__(self, timing: RedisTiming) -> None:
        self._timing = timing
        self.on_restored: Callable[[], None] | None = None

    @abstractmethod
    async def start(self) -> None:
        """Connect.

        Raises:
            DriverError: a server cannot be reached or refuses.
        """

    @abstractmethod
    async def check(self) -> None:
        """Ask every server for a sign of life.

        Raises:
            DriverError: a server cannot be used now.
        """

    @abstractmethod
    async def aclose(self) -> None:
        """Wait a moment for the replies to sent commands, and close; may be called again."""

    def call(
        self, *words: bytes, key: bytes | None = None, patience: float | None = None, at_once: bool = False
    ) -> asyncio.Future[Reply]:
        """Send a command.

        Args:
            words: the command and its arguments.
            key: the key that selects the server of a cluster, where it is not the second word.
            patience: how long the reply may take (seconds), for commands that block; else `answer_timeout`.
            at_once: the command leaves before this method returns, ahead of everything else that the tick sends.
        """
        slot = self._slot(key if key is not None else words[1])
        patience = patience or self._timing.answer_timeout
        return self._start(RedisRequest(words[0], encode(*words), patience, as_it_is, slot=slot, at_once=at_once))

    def run(self, script: Script, keys: Sequence[bytes], arguments: Sequence[bytes] = ()) -> asyncio.Future[Reply]:
        """Run a script; in a cluster all of its keys must be in one slot."""
        return self.run_for(as_it_is, script, keys, arguments)

    def run_for(
        self, read: Callable[[Reply], T], script: Script, keys: Sequence[bytes], arguments: Sequence[bytes] = ()
    ) -> asyncio.Future[T]:
        """Run a script; `read` makes the result of the reply, and may raise for a reply that makes no sense."""
        data, fallback = script.by_hash(keys, arguments), partial(script.whole, keys, arguments)
        slot = self._slot(keys[0])
        return self._start(
            RedisRequest(b"EVALSHA", data, self._timing.answer_timeout, read, slot=slot, fallback=fallback)
        )

    def _start(self, request: RedisRequest[T]) -> asyncio.Future[T]:
        self._send(request)
        return request.future

    def _slot(self, key: bytes) -> int:
        return key_slot(key)

    @abstractmethod
    def _send(self, request: RedisRequest[Any]) -> None:
        """Send a request to its server."""

    def _settle(self, line: Line, request: RedisRequest[Any], reply: Reply) -> None:
        """Take the reply to a request."""
        if request.fallback is not None and isinstance(reply, hiredis.ReplyError) and _is_unknown_script(reply):
            request.data, request.fallback = request.fallback(), None
            line.send(request)
        else:
            request.answer(reply, line.name)

    def _ping(self, line: Line) -> asyncio.Future[Reply]:
        request: RedisRequest[Reply] = RedisRequest(b"PING", _PING, self._timing.answer_timeout, as_it_is)
        line.send(request)
        return request.future

    def _tell_restored(self) -> None:
        if self.on_restored is not None:
            self.on_restored()


def _is_unknown_script(reply: hiredis.ReplyError) -> bool:
    return str(reply).startswith("NOSCRIPT")
