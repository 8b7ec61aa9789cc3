"""Health and memory, for probes and operators; nothing here is signed."""

from __future__ import annotations

from collections.abc import Callable

from sockudo.api.messages import TEXT, Response, json_response
from sockudo.apps.base import AppManager
from sockudo.node.memory import Memory, read_memory


class HealthHandlers:
    """`GET /up`, `GET /up/APP` and `GET /usage`."""

    def __init__(
        self, apps: AppManager, is_ready: Callable[[], bool], read: Callable[[], Memory] = read_memory
    ) -> None:
        self._apps = apps
        self._is_ready = is_ready
        self._read = read

    def up(self) -> Response:
        """Tell whether this node can serve; 503 from the moment it begins to leave."""
        if not self._is_ready() or not self._apps.all():
            return _status(503, "ERROR")
        return _status(200, "OK")

    def up_app(self, app_id: str) -> Response:
        """Tell whether this node can serve one app."""
        app = self._apps.by_id(app_id)
        if app is None:
            return _status(404, "NOT_FOUND")
        if not self._is_ready() or not app.enabled:
            return _status(503, "ERROR")
        return _status(200, "OK")

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


def _status(status: int, word: str) -> Response:
    return Response(status, word.encode(), content_type=TEXT, headers=(("X-Health-Check", word),))
