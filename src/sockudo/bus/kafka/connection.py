"""One connection to a Kafka broker: requests, which are answered in their order, and the login."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from struct import Struct
from typing import Any, Final, TypeVar

from sockudo.bus.broker.attachment import RefusedError
from sockudo.bus.broker.chunks import ChunkReader
from sockudo.bus.broker.connection import BadBytesError, BrokerConnection, settle
from sockudo.bus.kafka.options import Address, KafkaOptions, logs_in
from sockudo.bus.kafka.sasl import BadLoginError, login
from sockudo.bus.kafka.wire import (
    LONGEST_ANSWER,
    NO_ERROR,
    SASL_AUTHENTICATE,
    SASL_HANDSHAKE,
    UNSUPPORTED_MECHANISM,
    ask_login,
    ask_mechanism,
    error_name,
    read_login,
    read_mechanism,
    request,
)

_START: Final = Struct(">ii")
_NUMBERS: Final = 2**31

T = TypeVar("T")
OnAnswer = Callable[[bytes], None]
Lost = Callable[["KafkaConnection", str], None]


class _Answers(ChunkReader):
    """The answers of a broker, each handed to who has asked.

    Attributes:
        expected: what awaits an answer, in order: its number, and what takes it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.expected: deque[tuple[int, OnAnswer]] = deque()

    def parse(self, data: bytes) -> tuple[int, int]:
        # hot path
        position, length, expected = 0, len(data), self.expected
        while length - position >= 8:
            size, number = _START.unpack_from(data, position)
            if not 4 <= size <= LONGEST_ANSWER or not expected or expected[0][0] != number:
                raise BadBytesError("an answer to nothing")
            end = position + 4 + size
            if end > length:
                return position, end
            on_answer = expected.popleft()[1]
            on_answer(data[position + 8 : end])
            position = end
        return position, position + 8


class KafkaConnection(BrokerConnection):
    """A connection; `connect` makes one that is logged in."""

    def __init__(self, options: KafkaOptions, lost: Lost) -> None:
        super().__init__(kind="Kafka", silence_timeout=options.request_timeout_ms / 1000)
        self._lost: Lost | None = lost
        self._ping: Callable[[], None] | None = None
        self._asked = 0
        self._answers = _Answers()
        self._waiting: set[asyncio.Future[Any]] = set()
        self._idle: asyncio.Future[None] | None = None

    def ask(self, api: tuple[int, int], body: bytes, on_answer: OnAnswer) -> None:
        """Send a request at the end of this tick; its answer is handed on when it comes."""
        # hot path
        self._asked = (self._asked + 1) % _NUMBERS
        self._answers.expected.append((self._asked, on_answer))
        self.send(request(api, self._asked, body))

    async def call(self, api: tuple[int, int], body: bytes, read: Callable[[bytes], T]) -> T:
        """Send a request and return what `read` makes of its answer.

        Raises:
            ConnectionResetError: the connection is gone.
        """
        self.expect_open()
        answer: asyncio.Future[T] = self._loop.create_future()

        def take(data: bytes) -> None:
            # Read at once, so that an answer that cannot be read ends the connection, like all else that cannot.
            value = read(data)
            if not answer.done():
                answer.set_result(value)

        self._waiting.add(answer)
        self.ask(api, body, take)
        try:
            return await answer
        finally:
            self._waiting.discard(answer)

    def watch_with(self, ping: Callable[[], None]) -> None:
        """Begin to mind the silence of the broker; `ping` makes it say something."""
        self._ping = ping
        self.watch()

    def ping(self) -> None:
        """Make the broker say something."""
        if self._ping is not None:
            self._ping()

    def take(self, data: bytes) -> None:
        """Hand on the answers that are whole."""
        self._answers.feed(data)
        if self._idle is not None and not self._answers.expected:
            settle(self._idle)

    async def aclose(self) -> None:
        """Close when everything that was asked is answered; nobody is told."""
        self._lost = None
        self._idle = self._loop.create_future()
        if not self._answers.expected or not self.is_open:
            settle(self._idle)
        await self.finish(self._idle)

    def ended(self, reason: str) -> None:
        """Fail what waits and tell the owner."""
        self._answers.expected.clear()
        for future in self._waiting:
            if not future.done():
                future.set_exception(ConnectionResetError(reason))
        if self._idle is not None:
            settle(self._idle)
        if self._lost is not None:
            self._lost(self, reason)

    async def log_in(self, options: KafkaOptions) -> None:
        """Tell who we are.

        Raises:
            RefusedError: the broker does not want us.
            ConnectionResetError: the connection is gone.
        """
        credentials = "adapter.kafka.sasl_username or sasl_password"
        mechanism = (options.sasl_mechanism or "plain").upper()
        problem, offered = await self.call(SASL_HANDSHAKE, ask_mechanism(mechanism), read_mechanism)
        if problem == UNSUPPORTED_MECHANISM:
            raise RefusedError(f"{mechanism} is not offered, but {offered}", "adapter.kafka.sasl_mechanism")
        if problem != NO_ERROR:
            raise RefusedError(error_name(problem), "adapter.kafka.security_protocol")
        steps = login(mechanism, options.sasl_username or "", options.sasl_password or "")
        message: bytes | None = next(steps)
        try:
            while message is not None:
                problem, text, answer = await self.call(SASL_AUTHENTICATE, ask_login(message), read_login)
                if problem != NO_ERROR:
                    raise RefusedError(text or error_name(problem), credentials)
                try:
                    message = steps.send(answer)
                except StopIteration:
                    message = None
        except BadLoginError as error:
            raise RefusedError(str(error), credentials) from error


async def connect(
    address: Address, options: KafkaOptions, context: ssl.SSLContext | None, lost: Lost
) -> KafkaConnection:
    """Connect to one broker.

    Raises:
        OSError: it cannot be reached.
        RefusedError: it does not want us.
    """
    connection = KafkaConnection(options, lost)
    try:
        host, port = address
        await asyncio.get_running_loop().create_connection(lambda: connection, host, port, ssl=context)
        if logs_in(options):
            await connection.log_in(options)
    except BaseException:
        connection.drop("not connected")
        raise
    return connection
