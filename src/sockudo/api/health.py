"""Health and memory, for probes and operators; nothing here is signed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from sockudo.api.messages import TEXT, Response, json_response
from sockudo.eventual import Eventual, then
from sockudo.node.memory import Memory, read_memory

_STATUSES: Final[Mapping[str, int]] = {"OK": 200, "DEGRADED": 200, "NOT_FOUND": 404, "ERROR": 503}


class Health(Protocol):
    """Knows how the server is; the answers are words of the protocol."""

    def node(self) -> Eventual[str]:
        """Return OK, DEGRADED or ERROR for the server as a whole."""
        ...

    def app(self, app_id: str) -> Eventual[str]:
        """Return OK, ERROR or NOT_FOUND for one app."""
        ...


class HealthHandlers:
    """`GET /`, `GET /live`, `GET /ready`, `GET /accept-traffic`, `GET /up`, `GET /up/APP` and `GET /usage`.

    Args:
        read: tells how much memory is used.
        is_full: whether too much of it is used for new clients to be accepted.
    """

    def __init__(
        self, health: Health, read: Callable[[], Memory] = read_memory, is_full: Callable[[], bool] = lambda: False
    ) -> None:
        self._health = health
        self._read = read
        self._is_full = is_full

    def root(self) -> Response:
        """Answer OK: load balancers ask for `/` unless they are told otherwise."""
        return Response(200, b"OK", content_type=TEXT)

    def live(self) -> Response:
        """Answer 200: the process runs, and nothing else is looked at."""
        return Response(200)

    def ready(self) -> Eventual[Response]:
        """Tell whether new clients are welcome: this node can serve, and it has memory to spare."""
        if self._is_full():
            return _response("ERROR", ": memory use is above http_api.accept_traffic.memory_threshold")
        return self.up()

    def up(self) -> Eventual[Response]:
        """Tell whether this node can serve; 503 from the moment it begins to leave."""
        return then(self._health.node(), _response)

    def up_app(self, app_id: str) -> Eventual[Response]:
        """Tell whether this node can serve one app."""
        return then(self._health.app(app_id), _response)

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


def _response(word: str, reason: str = "") -> Response:
    body = (word + reason).encode()
    return Response(_STATUSES[word], body, content_type=TEXT, headers=(("X-Health-Check", word),))
