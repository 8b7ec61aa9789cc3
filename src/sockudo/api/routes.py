"""Routes each HTTP request to its handler and returns the response."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias
from urllib.parse import unquote

from sockudo.api.auth import Authenticator
from sockudo.api.call import Call
from sockudo.api.channels import ChannelHandlers
from sockudo.api.cors import Cors
from sockudo.api.events import EventHandlers
from sockudo.api.health import HealthHandlers
from sockudo.api.messages import Accepted, Request, Response, error_response, rejection_response
from sockudo.api.throttle import Throttle
from sockudo.api.users import UserHandlers
from sockudo.apps.app import App
from sockudo.apps.base import AppManager
from sockudo.errors import DriverError
from sockudo.eventual import Eventual, Future, caught, later, then
from sockudo.hub.totals import SYSTEM, Totals
from sockudo.node.refusal_log import RefusalLog
from sockudo.pusher.errors import RequestRejected
from sockudo.pusher.query import Query, parse_query
from sockudo.ratelimit.base import Decision
from sockudo.ratelimit.counters import RateLimitCounters
from sockudo.timing.clock import Clock

Handler: TypeAlias = Callable[[Call], Eventual[Response]]

_READ: Final = ("GET", "HEAD")
_WRITE: Final = ("POST",)

_PROBES: Final = frozenset({"", "accept-traffic", "live", "ready", "up", "usage"})


class Routes:
    """The HTTP API.

    A step raises its refusal, or returns a future that fails with it. Both become responses in `failure`, which three
    steps call, each for what comes below it:

    * `handle`: whatever is refused before a route is chosen, and without a rate limit all the rest.
    * `_admitted`: with a rate limit, whatever the route refuses, so that this answer has the headers of the limit too.
    * `_finish`: whatever is refused after a body has come whose head was accepted; `handle` has returned by then.

    Attributes:
        events: the handlers that publish.
        throttle: the limit of each client address, if there is one.
    """

    def __init__(
        self,
        *,
        apps: AppManager,
        authenticator: Authenticator,
        clock: Clock,
        events: EventHandlers,
        channels: ChannelHandlers,
        users: UserHandlers,
        health: HealthHandlers,
        cors: Cors,
        throttle: Throttle | None,
        limited: RateLimitCounters,
        refusals: RefusalLog,
        totals: Totals,
        path_prefix: str,
    ) -> None:
        self.events = events
        self._apps = apps
        self._authenticator = authenticator
        self._clock = clock
        self._health = health
        self._cors = cors
        self.throttle = throttle
        self._limited_calls, self._limited_others = limited.http_api, limited.other
        self._refusals = refusals
        self._totals = totals
        self._prefix = path_prefix
        # What comes after /apps/ID, and after /apps/ID/channels/CHANNEL.
        self._collections: dict[str, tuple[tuple[str, ...], Handler]] = {
            "events": (_WRITE, events.trigger),
            "batch_events": (_WRITE, events.batch),
            "channels": (_READ, channels.channels),
            "connections": (_READ, channels.connections),
        }
        self._channel: tuple[tuple[str, ...], Handler] = (_READ, channels.channel)
        self._of_channel: dict[str, tuple[tuple[str, ...], Handler]] = {
            "users": (_READ, channels.users),
            "events": (_WRITE, events.raw_trigger),
            "stats": (_READ, channels.stats),
        }
        self._of_user: dict[str, tuple[tuple[str, ...], Handler]] = {
            "terminate_connections": (_WRITE, users.terminate_connections),
            "force_reconnect": (_WRITE, users.force_reconnect),
        }

    def handle(self, request: Request) -> Eventual[Response]:
        """Answer a request; every refusal is a JSON body with its status, and nothing is raised, nor does a future
        fail. The head of a request that may be carried out is answered with `Accepted`."""
        try:
            response = self._limited(request)
        except Exception as error:
            response = self.failure(request, error)
        headers = self._cors.for_request(request)
        if isinstance(response, Future):
            answered = caught(response, partial(self.failure, request))
            return later(answered, partial(_with_headers, headers)) if headers else answered
        return response.with_headers(*headers) if headers else response

    def _limited(self, request: Request) -> Eventual[Response]:
        if request.method == "OPTIONS":
            return self._cors.preflight()
        path = request.path
        if path.startswith("//"):
            # A client whose base path is "/" puts another slash before the path.
            path = "/" + path.lstrip("/")
        if len(path) > 1 and path.endswith("/"):
            path = path[:-1]
        parts = self._parts(path)
        health = self._probe(request, parts)
        if health is not None:
            return health
        if self.throttle is None:
            return self._route(request, path, parts)
        checks = self._limited_calls if parts[0] == "apps" else self._limited_others
        admitted = self.throttle.admit(request, checks)
        if isinstance(admitted, Future):
            return later(admitted, partial(self._admitted, request, path, parts))
        return self._admitted(request, path, parts, admitted)

    def _admitted(
        self, request: Request, path: str, parts: list[str], decision: Decision | Response
    ) -> Eventual[Response]:
        if isinstance(decision, Response):
            return self.limited(request, decision)
        try:
            response = self._route(request, path, parts)
        except Exception as error:
            response = self.failure(request, error)
        if isinstance(response, Future):
            answered = caught(response, partial(self.failure, request))
            return later(answered, partial(_with_decision, decision))
        return response.with_decision(decision)

    def limited(self, request: Request, answer: Response) -> Response:
        """Return the answer of a rate limit, and tell the log."""
        if self._refusals.is_told(answer.status):
            self._note(request, answer.status, answer.body.decode("utf-8", "replace"))
        else:
            self._refusals.count(answer.status)
        return answer

    def failure(self, request: Request, error: Exception) -> Response:
        """Return the answer to a request that failed or was refused, and tell the log."""
        if isinstance(error, RequestRejected):
            self._note(request, error.status, error.message, error.app_id, error.signed_text)
            return rejection_response(error)
        if isinstance(error, DriverError):
            self._refusals.note_failed("request not answered", path=request.path, reason=str(error), **request.ids())
            return error_response(
                503, "A store that this request needs does not answer; try again", ("Retry-After", "1")
            )
        # The client is told nothing; the log gets the cause, and this connection and all others go on.
        self._refusals.note_fault("request failed", error, method=request.method, path=request.path, **request.ids())
        return error_response(500, "Internal server error")

    def _note(
        self, request: Request, status: int, reason: str, app: str | None = None, signed_text: bytes = b""
    ) -> None:
        self._refusals.note(
            "request refused",
            status,
            reason,
            app=app,
            signed_text=signed_text,
            method=request.method,
            path=request.path,
            peer=request.peer,
            **(request.ids() if self._refusals.is_told(status) else {}),
        )

    def _parts(self, path: str) -> list[str]:
        """Return the parts of a path below the configured prefix; probes are found without it too."""
        prefix = self._prefix
        if prefix:
            if path == prefix or path.startswith(prefix + "/"):
                path = path[len(prefix) :] or "/"
            elif path[1:].partition("/")[0] not in _PROBES:
                raise RequestRejected(404, f"Not found: paths begin with {prefix} (path_prefix)")
        return path.split("/")[1:]

    def _probe(self, request: Request, parts: list[str]) -> Eventual[Response] | None:
        """Answer health probes, which no limit may stop."""
        match parts:
            case [""]:
                return _only(request, _READ) or self._health.root()
            case ["live"]:
                return _only(request, _READ) or self._health.live()
            case ["ready" | "accept-traffic"]:
                return _only(request, _READ) or self._health.ready()
            case ["up"]:
                return _only(request, _READ) or self._counted(SYSTEM, request, self._health.up())
            case ["up", app_id]:
                # Counted only where it succeeds, and so where the app exists.
                app_id = unquote(app_id)
                return _only(request, _READ) or self._counted(app_id, request, self._health.up_app(app_id))
            case ["usage"]:
                return _only(request, _READ) or self._health.usage()
            case _:
                return None

    def _route(self, request: Request, path: str, parts: list[str]) -> Eventual[Response]:
        # hot path
        match parts:
            case ["apps", app_id, collection] if collection in self._collections:
                return self._call(self._collections[collection], request, path, app_id)
            case ["apps", app_id, "channels", channel]:
                return self._call(self._channel, request, path, app_id, channel)
            case ["apps", app_id, "channels", channel, what] if what in self._of_channel:
                return self._call(self._of_channel[what], request, path, app_id, channel)
            case ["apps", app_id, "users", user_id, what] if what in self._of_user:
                return self._call(self._of_user[what], request, path, app_id, user_id)
            case ["users", user_id, "terminate_connections"]:
                # The official Python library leaves out /apps/ID here; the key tells the app.
                return self._call(self._of_user["terminate_connections"], request, path, None, user_id)
            case ["app", _]:
                return error_response(
                    400,
                    "This path is a WebSocket: connect to it with a Pusher client library (no Upgrade header was sent)",
                )
            case _:
                raise RequestRejected(404, "Not found: no such path")

    def _call(
        self,
        route: tuple[tuple[str, ...], Handler],
        request: Request,
        path: str,
        app_id: str | None,
        *names: str,
    ) -> Eventual[Response]:
        # hot path
        methods, handler = route
        if request.method not in methods:
            return _method_not_allowed(methods)
        query = parse_query(request.query)
        found = self._app(app_id, query)
        if isinstance(found, Future):
            return later(found, partial(self._act, handler, request, path, query, names))
        return self._act(handler, request, path, query, names, found)

    def _act(
        self, handler: Handler, request: Request, path: str, query: Query, names: tuple[str, ...], app: App | None
    ) -> Eventual[Response]:
        # hot path
        if app is None:
            raise RequestRejected(404, "Application not found.")
        try:
            self._authenticator.authenticate(app, request, path, query, self._clock.now())
        except RequestRejected as refused:
            refused.app_id = app.id
            raise
        call = Call(app, request, query, tuple([_decoded(name) for name in names]))
        if not request.is_whole:
            return Accepted(partial(self._finish, handler, call))
        return self._counted(app.id, request, handler(call))

    def _counted(self, app_id: str, request: Request, response: Eventual[Response]) -> Eventual[Response]:
        """Count a call that is carried out, for its app; refused ones are counted elsewhere, by their status."""
        # hot path
        if isinstance(response, Future):
            return later(response, partial(self._counted_response, app_id, request))
        return self._counted_response(app_id, request, response)

    def _counted_response(self, app_id: str, request: Request, response: Response) -> Response:
        # hot path
        if response.status < 300:
            self._totals[app_id].count_call(len(request.body), len(response.body))
        return response

    def _finish(self, handler: Handler, call: Call) -> Eventual[Response]:
        """Carry out a call whose body has come after its head was accepted."""
        request = call.request
        try:
            self._authenticator.check_body(request, call.query)
            response = self._counted(call.app.id, request, handler(call))
        except Exception as error:
            if isinstance(error, RequestRejected):
                error.app_id = call.app.id
            return self.failure(request, error)
        return caught(response, partial(self.failure, request)) if isinstance(response, Future) else response

    def _app(self, app_id: str | None, query: Query) -> Eventual[App | None]:
        if app_id is None:
            return then(self._apps.by_key(query.last.get("auth_key", "")), _app_of_key)
        return self._apps.by_id(_decoded(app_id))


def _app_of_key(app: App | None) -> App:
    if app is None:
        raise RequestRejected(401, "Authentication failed: auth_key is missing or unknown.")
    return app


def _with_headers(headers: tuple[tuple[str, str], ...], response: Response) -> Response:
    return response.with_headers(*headers)


def _with_decision(decision: Decision, response: Response) -> Response:
    return response.with_decision(decision)


def _decoded(part: str) -> str:
    return unquote(part) if "%" in part else part


def _only(request: Request, methods: tuple[str, ...]) -> Response | None:
    return None if request.method in methods else _method_not_allowed(methods)


def _method_not_allowed(methods: tuple[str, ...]) -> Response:
    return error_response(405, "Method not allowed", ("Allow", ", ".join((*methods, "OPTIONS"))))
