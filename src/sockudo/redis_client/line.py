"""One ordered connection of a store to one Redis server, which opens again for ever.

Strategy: commands are pipelined. No command waits for an earlier reply, all commands of one tick leave in one write,
and replies come in the order of the commands. So a read sees every write that was sent before it. While the connection
is away, commands fail at once instead of piling up. The line notices a server that hangs by a missing reply; while no
command is sent, it sends a PING now and then.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

import hiredis

from sockudo.errors import DriverError
from sockudo.log import get_logger
from sockudo.redis_client.options import RedisTiming
from sockudo.redis_client.request import RedisRequest, as_it_is
from sockudo.redis_client.resp import Reply, RespConnection, encode
from sockudo.redis_client.server import RedisServer, check_role, connect
from sockudo.timing.backoff import delays

_log = get_logger("sockudo.redis")

# At most this many commands wait for their replies.
MOST_WAITING: Final = 100_000
# An event loop that was held up has not read its replies yet; it gets this long to read them (seconds).
_SECOND_LOOK: Final = 0.05
# How errors begin of a server that takes no command at all.
_USELESS: Final = ("READONLY", "LOADING", "MASTERDOWN")
_PING: Final = encode(b"PING")
_ROLE: Final = encode(b"ROLE")

Find = Callable[[], Awaitable[RedisServer]]
Settle = Callable[["Line", RedisRequest[Any], Reply], None]


class Line:
    """A connection to one server.

    Attributes:
        problem: why the line cannot be used now; None while it is open.
    """

    def __init__(self, find: Find, timing: RedisTiming, settle: Settle, on_change: Callable[[Line], None]) -> None:
        """Make a line; `open` it before use.

        Args:
            find: returns where the server is; called before each attempt to connect.
            timing: how patient the line is.
            settle: takes each request that was answered, and the reply.
            on_change: called when the line is lost, and when it is open again.
        """
        self._loop = asyncio.get_running_loop()
        self._find = find
        self._timing = timing
        self._settle = settle
        self._on_change = on_change
        self._connection: RespConnection | None = None
        self._server: RedisServer | None = None
        self._waiting: deque[RedisRequest[Any]] = deque()
        self._parts: list[bytes] = []
        self._reopening: asyncio.Task[None] | None = None
        self._probing: asyncio.TimerHandle | None = None
        self._watching: asyncio.TimerHandle | None = None
        self._suspect: RedisRequest[Any] | None = None
        self._is_closed = False
        self.problem: str | None = "Redis is not connected yet"

    @property
    def is_open(self) -> bool:
        """Whether commands can be sent."""
        return self._connection is not None

    @property
    def name(self) -> str:
        """The name of the server in messages, with the setting that names it."""
        return "Redis" if self._server is None else f"Redis at {self._server.name} ({self._server.setting})"

    @property
    def host(self) -> str:
        """The host of the server; empty before the server was found."""
        return "" if self._server is None else self._server.host

    async def open(self) -> None:
        """Connect.

        Raises:
            DriverError: the server cannot be found or reached, or refuses.
        """
        server = await self._find()
        connection = await connect(server, self._timing)
        self._server, self._connection, self.problem = server, connection, None
        self._suspect = None
        connection.stream(self._replied, self._lost)
        self._probing = self._loop.call_later(self._timing.probe_interval, self._probe)

    def keep_open(self) -> None:
        """Connect in the background, for ever, unless the line is open or already does that."""
        if self._connection is None and self._reopening is None and not self._is_closed:
            self._reopening = self._loop.create_task(self._reopen())

    def send(self, request: RedisRequest[Any], before: bytes = b"") -> None:  # hot path
        """Send a command at the end of this tick, or at once if the request says so; it fails while the line is away.

        Args:
            before: a command to send right before it, whose reply is dropped.
        """
        waiting = self._waiting
        if self._connection is None or len(waiting) >= MOST_WAITING:
            request.fail(self.problem or f"{self.name}: {MOST_WAITING} commands wait for their replies")
            return
        request.sent = self._loop.time()
        if not waiting:
            self._watch_from(request.sent + request.patience)
        if not self._parts and not request.at_once:
            self._loop.call_soon(self._flush)
        if before:
            prelude: RedisRequest[Reply] = RedisRequest(b"", before, request.patience, as_it_is)
            prelude.sent = request.sent
            prelude.future.cancel()
            waiting.append(prelude)
            self._parts.append(before)
        waiting.append(request)
        self._parts.append(request.data)
        if request.at_once:
            self._flush()

    async def aclose(self) -> None:
        """Wait for the replies to sent commands, as long as a reply may take, and close; may be called again."""
        self._is_closed = True
        if self._reopening is not None:
            self._reopening.cancel()
            await asyncio.wait({self._reopening})
            self._reopening = None
        connection = self._connection
        if connection is None:
            return
        last: RedisRequest[Reply] = RedisRequest(b"PING", _PING, self._timing.answer_timeout, as_it_is)
        self.send(last)
        with contextlib.suppress(DriverError):
            await last.future
        if self._connection is not None:
            self._connection = None
            self._release("Redis is closed")
            connection.close()
        await connection.ended()

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        if self._connection is not None and parts:
            self._connection.write(b"".join(parts) if len(parts) > 1 else parts[0])

    # The callbacks of the connection.

    def _replied(self, reply: Reply) -> None:  # hot path
        if not self._waiting:
            self._fail("the server sent a reply without a command")
            return
        self._settle(self, self._waiting.popleft(), reply)
        if isinstance(reply, hiredis.ReplyError) and str(reply).startswith(_USELESS):
            self._fail(str(reply))

    def _lost(self, reason: str) -> None:
        assert self._server is not None
        self._connection = None
        problem = str(self._server.refusal(reason))
        self._release(problem)
        _log.warning("redis connection lost", setting=self._server.setting, reason=problem)
        self.keep_open()
        self._on_change(self)

    def _release(self, problem: str) -> None:
        """Fail every command that waits for its reply."""
        self.problem = problem
        self._parts = []
        for timer in (self._probing, self._watching):
            if timer is not None:
                timer.cancel()
        self._probing = self._watching = None
        waiting, self._waiting = self._waiting, deque()
        for request in waiting:
            request.fail(problem)

    def _fail(self, reason: str) -> None:
        if self._connection is not None:
            self._connection.fail(reason)

    async def _reopen(self) -> None:
        for delay in delays():
            try:
                await self.open()
            except DriverError as error:
                if str(error) != self.problem:
                    self.problem = str(error)
                    _log.warning("redis server unreachable", reason=self.problem)
            else:
                break
            await asyncio.sleep(delay)
        self._reopening = None
        _log.info("redis server reached", server=self.name)
        self._on_change(self)

    # Silence.

    def _watch_from(self, due: float) -> None:
        """Look at the oldest command again when its reply is due."""
        if self._watching is not None:
            if self._watching.when() <= due:
                return
            self._watching.cancel()
        self._watching = self._loop.call_at(due, self._watch)

    def _watch(self) -> None:
        self._watching = None
        if not self._waiting:
            return
        oldest = self._waiting[0]
        due = oldest.sent + oldest.patience
        if self._loop.time() < due:
            self._watch_from(due)
        elif self._suspect is not oldest:
            self._suspect = oldest
            self._watch_from(self._loop.time() + _SECOND_LOOK)
        else:
            self._fail(f"no answer in {oldest.patience:g} s")

    def _probe(self) -> None:
        self._probing = self._loop.call_later(self._timing.probe_interval, self._probe)
        if self._server is not None and self._server.must_be_master:
            self._ask(b"ROLE", _ROLE, self._check_role)
        elif not self._waiting:
            self._ask(b"PING", _PING, None)

    def _ask(self, verb: bytes, data: bytes, on_reply: Callable[[Reply], None] | None) -> None:
        request: RedisRequest[Reply] = RedisRequest(verb, data, self._timing.answer_timeout, as_it_is)

        def answered(future: asyncio.Future[Reply]) -> None:
            # A login with few rights may be refused; the server lives.
            if future.exception() is None and on_reply is not None:
                on_reply(future.result())

        request.future.add_done_callback(answered)
        self.send(request)

    def _check_role(self, reply: Reply) -> None:
        assert self._server is not None
        try:
            check_role(reply, self._server)
        except DriverError:
            self._fail("it is not a master")
