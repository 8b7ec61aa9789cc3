"""Handlers of the health probes and of `/usage`; these requests carry no signature."""

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

    def overload(self) -> str:
        """Return why the server refuses new clients and events for now, or nothing."""
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
        """Tell whether new clients are welcome."""
        return self.up()

    def up(self) -> Eventual[Response]:
        """Tell whether this node can serve; 503 from the moment it begins to leave."""
        return then(self._health.node(), self._response)

    def up_app(self, app_id: str) -> Eventual[Response]:
        """Tell whether this node can serve one app."""
        return then(self._health.app(app_id), self._response)

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

    def _response(self, word: str) -> Response:
        """Return the word, and behind an ERROR its reason where that is an overload."""
        reason = self._health.overload() if word == "ERROR" else ""
        text = f"{word}: {reason}" if reason else word
        return Response(_STATUSES[word], text.encode(), content_type=TEXT, headers=(("X-Health-Check", word),))
