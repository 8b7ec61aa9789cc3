"""The interface that an HTTP socket uses to reach its server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sockudo.api.messages import Request, Response
from sockudo.api.quick_events import QuickEvents
from sockudo.eventual import Eventual, Future
from sockudo.server.http.answers import Answers
from sockudo.server.http.body_budget import BodyBudget
from sockudo.server.http.known_heads import KnownHeads
from sockudo.server.timeouts import Timeouts
from sockudo.server.turn_budget import TurnBudget

QuickPublish = Callable[[bytes, bytes, str | None, Callable[[], Request]], "Response | Future[Response] | None"]


class Socket(Protocol):
    """An HTTP socket, as its server knows it."""

    def drain(self) -> None:
        """Close when the request under way is answered; at once when there is none."""

    def abort(self) -> None:
        """Drop the socket at once."""


@dataclass(frozen=True, slots=True)
class HttpContext:
    """What every HTTP socket of a server shares.

    Attributes:
        bodies: the memory for bodies that are on their way.
        max_body_bytes: of one request.
        needs_peer: whether anybody asks for `Request.peer`, which costs a system call a socket.
        after_bus: calls back when what was put on the bus in this tick has been sent; None where there is no bus.
        quick_events: publishes the events of usual requests; None where every request must go the general way.
    """

    answers: Answers
    bodies: BodyBudget
    max_body_bytes: int
    needs_peer: bool
    after_bus: Callable[[Callable[[], None]], object] | None
    quick_events: QuickEvents | None = None


class Service(Protocol):
    """What answers the requests of a socket."""

    answers: Answers
    timeouts: Timeouts
    turn: TurnBudget
    bodies: BodyBudget
    max_body_bytes: int
    # Whether anybody asks for `Request.peer`, which costs a system call a socket.
    needs_peer: bool
    # Calls back when what was put on the bus in this tick has been sent, or taken where a join on another node might
    # overtake it; None where there is no bus.
    after_bus: Callable[[Callable[[], None]], object] | None
    # Publishes the event of a target and a body, or returns None: then `handle` must.
    publish_quickly: QuickPublish | None
    # The heads that came with such events.
    known_heads: KnownHeads

    @property
    def is_draining(self) -> bool:
        """Whether every answer is the last of its socket."""
        ...

    def handle(self, request: Request) -> Eventual[Response]:
        """Answer a request, or accept its head where the body is not there; a future never fails."""
        ...

    def upgrade(
        self, request: Request, http_version: str, transport: asyncio.Transport
    ) -> asyncio.Protocol | Eventual[Response]:
        """Take over the socket and return its new protocol, or answer the request as any other."""
        ...

    def turn_away(self) -> Response | None:
        """Return the answer to a new socket for which there is no room, and count it; None where there is room."""
        ...

    def refused(self, response: Response, request: Request | None = None) -> None:
        """Note an answer that refuses a request before it has been read to its end."""

    def opened(self, connection: Socket) -> None:
        """Note a new socket."""

    def closed(self, connection: Socket) -> None:
        """Forget a socket, which is gone or speaks another protocol now."""
