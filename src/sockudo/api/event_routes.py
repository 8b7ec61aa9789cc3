"""Routes the requests of a server that only takes events (`server_role` api)."""

from __future__ import annotations

from sockudo.api.messages import Request, Response
from sockudo.api.routes import Routes
from sockudo.eventual import Eventual
from sockudo.pusher.errors import RequestRejected


class EventRoutes(Routes):
    """Probes and publishes; whatever is about clients is not found, and the answer says why."""

    def _route(self, request: Request, path: str, parts: list[str]) -> Eventual[Response]:
        match parts:
            case ["apps", _, "events" | "batch_events"]:
                return super()._route(request, path, parts)
            case ["app" | "apps" | "users", *_]:
                raise RequestRejected(404, "Not found: this server only takes events (server_role is api)")
            case _:
                raise RequestRejected(404, "Not found: no such path")
