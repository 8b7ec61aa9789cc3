"""One HTTP socket without a network: the protocol under test, a transport, a clock, and a service that echoes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from sockudo.api.messages import TEXT, Accepted, Request, Response
from sockudo.eventual import Eventual, later
from sockudo.server.http.answers import Answers
from sockudo.server.http.body_budget import BodyBudget
from sockudo.server.http.known_heads import KnownHeads
from sockudo.server.http.protocol import HttpProtocol
from sockudo.server.http.service import QuickPublish, Socket
from sockudo.server.timeouts import Timeouts
from sockudo.server.turn_budget import TurnBudget
from tests.fakes.clock import FakeClock
from tests.fakes.eventual import Questions
from tests.fakes.transport import FakeTransport


class EchoService:
    """Answers every request with what was asked, and keeps it.

    Attributes:
        successor: takes over sockets whose upgrade is to `/app/key`; where it is None, every upgrade is answered with
            `upgrade_status`.
        questions: what requests below `/asks` wait for.
    """

    def __init__(self, clock: FakeClock, max_body_bytes: int = 1000) -> None:
        self.answers = Answers((("X-Common", "yes"),), clock.now())
        self.timeouts = Timeouts(clock, lambda: None)
        self.timeouts.start()
        self.turn = TurnBudget(clock)
        self.bodies = BodyBudget(100 * 1024 * 1024)
        self.max_body_bytes = max_body_bytes
        self.is_draining = False
        self.needs_peer = True
        self.after_bus: Callable[[Callable[[], None]], object] | None = None
        self.publish_quickly: QuickPublish | None = None
        self.known_heads = KnownHeads()
        self.requests: list[Request] = []
        self.refusals: list[int] = []
        self.connections: set[Socket] = set()
        self.successor: Callable[[asyncio.Transport], asyncio.Protocol] | None = None
        self.upgrade_status = 200
        self.questions: Questions[None] = Questions()

    def handle(self, request: Request) -> Eventual[Response]:
        if not request.is_whole:
            return self._check(request)
        return self._finish(request)

    def _check(self, request: Request) -> Eventual[Response]:
        """Accept a head, unless its path is below `/refused`; what is below `/asked` waits for a store."""
        if request.path.startswith("/refused"):
            return Response(403, b"{}")
        accepted = Accepted(partial(self._finish, request))
        if request.path.startswith("/asked"):
            return later(self.questions.put(request.path), lambda _: accepted)
        return accepted

    def _finish(self, request: Request) -> Eventual[Response]:
        self.requests.append(request)
        if request.path.startswith("/asks"):
            return later(self.questions.put(request.path), lambda _: self._echo(request))
        return self._echo(request)

    def _echo(self, request: Request) -> Response:
        return Response(200, describe(request).encode(), content_type=TEXT)

    def upgrade(self, request: Request, http_version: str, transport: asyncio.Transport) -> asyncio.Protocol | Response:
        if self.successor is not None and request.path == "/app/key":
            return self.successor(transport)
        self.requests.append(request)
        return Response(self.upgrade_status, describe(request).encode(), content_type=TEXT)

    def turn_away(self) -> Response | None:
        return None

    def refused(self, response: Response, request: Request | None = None) -> None:
        self.refusals.append(response.status)

    def opened(self, connection: Socket) -> None:
        self.connections.add(connection)

    def closed(self, connection: Socket) -> None:
        self.connections.discard(connection)


def describe(request: Request) -> str:
    """Return a request in one line."""
    headers = ",".join(name.decode().lower() for name, _ in request.headers)
    return f"{request.method} {request.path}?{request.query} [{headers}] {request.body.decode('latin-1')}"


class HttpSocket:
    """A socket that has just been accepted."""

    def __init__(self, max_body_bytes: int = 1000, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.service = EchoService(self.clock, max_body_bytes)
        self.protocol = HttpProtocol(self.service)
        self.transport = FakeTransport(self.clock, self.protocol)
        self.protocol.connection_made(self.transport)

    def feed(self, *segments: bytes) -> None:
        """Let segments arrive one after the other; a closed socket takes none, and one that is paused none yet."""
        for segment in segments:
            self.transport.feed(segment)

    def answers(self) -> list[ReadAnswer]:
        """Return the answers that have come since the last call; what is no whole answer is an error."""
        return read_answers(self.transport.read())

    def statuses(self) -> list[int]:
        """Return the statuses of the answers since the last call."""
        return [answer.status for answer in self.answers()]

    @property
    def asked(self) -> list[str]:
        """Every request that was carried out."""
        return [describe(request) for request in self.service.requests]

    @property
    def is_finished(self) -> bool:
        """Whether the server has ended its side."""
        return self.transport.has_eof or self.transport.is_closing()


class ReadAnswer(NamedTuple):
    """An HTTP answer as its peer reads it; names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def read_answers(data: bytes) -> list[ReadAnswer]:
    """Split the bytes of one socket into answers; interim ones have no body."""
    answers = []
    while data:
        head, found, data = data.partition(b"\r\n\r\n")
        assert found, head
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(first.split()[1])
        length = int(headers["content-length"]) if status >= 200 else 0
        assert len(data) >= length, "an answer is cut off"
        answers.append(ReadAnswer(status, headers, data[:length]))
        data = data[length:]
    return answers
