"""Handlers of the health probes and of `/usage`; these requests carry no signature."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, Protocol

from sockudo.api.messages import TEXT, Response, json_response
from sockudo.eventual import Eventual, then
from sockudo.node.memory import Memory, read_memory

OK: Final = "OK"
DEGRADED: Final = "DEGRADED"
ERROR: Final = "ERROR"
DRAINING: Final = "DRAINING"
NOT_FOUND: Final = "NOT_FOUND"

_STATUSES: Final[Mapping[str, int]] = {OK: 200, DEGRADED: 200, NOT_FOUND: 404, ERROR: 503, DRAINING: 503}


class Verdict(NamedTuple):
    """How the server is.

    Attributes:
        word: of the protocol.
        reason: why it is not OK, where that may be told to anybody.
        is_overload: whether it is for want of memory, which every probe is told.
    """

    word: str
    reason: str = ""
    is_overload: bool = False


class Health(Protocol):
    """Knows how the server is."""

    def node(self) -> Eventual[Verdict]:
        """Tell whether the server serves those it has."""
        ...

    def ready(self) -> Eventual[Verdict]:
        """Tell whether new clients are welcome."""
        ...

    def app(self, app_id: str) -> Eventual[Verdict]:
        """Tell whether one app is served."""
        ...


class HealthHandlers:
    """`GET /`, `GET /live`, `GET /ready`, `GET /accept-traffic`, `GET /up`, `GET /up/APP` and `GET /usage`.

    Args:
        read: tells how much memory is used.
    """

    def __init__(self, health: Health, read: Callable[[], Memory] = read_memory) -> None:
        self._health = health
        self._read = read

    def root(self) -> Response:
        """Answer OK: load balancers ask for `/` unless they are told otherwise."""
        return Response(200, b"OK", content_type=TEXT)

    def live(self) -> Response:
        """Answer 200: the process runs, and nothing else is looked at."""
        return Response(200)

    def ready(self) -> Eventual[Response]:
        """Tell whether new clients are welcome, and if not, why; 503 from the moment this node is about to leave."""
        return then(self._health.ready(), lambda verdict: _response(verdict.word, verdict.reason))

    def up(self) -> Eventual[Response]:
        """Tell whether this node can serve; 503 from the moment it is about to leave."""
        return then(self._health.node(), _up_response)

    def up_app(self, app_id: str) -> Eventual[Response]:
        """Tell whether this node can serve one app."""
        return then(self._health.app(app_id), _up_response)

    def usage(self) -> Response:
        """Tell how much memory is used, in bytes and percent."""
        memory = self._read()
        return json_response(
            {
                "memory": {
                    "free": memory.free,
                    "used": memory.used,
                    "total": memory.total,
                    "percent": round(memory.share * 100, 2),
                }
            }
        )


def _up_response(verdict: Verdict) -> Response:
    """Return the word alone, as the original does, unless memory is short."""
    return _response(verdict.word, verdict.reason if verdict.is_overload else "")


def _response(word: str, reason: str) -> Response:
    text = f"{word}: {reason}" if reason else word
    return Response(_STATUSES[word], text.encode(), content_type=TEXT, headers=(("X-Health-Check", word),))
