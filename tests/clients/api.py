"""The HTTP API without a server: requests and answers as values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sockudo.api.auth import Authenticator
from sockudo.api.channel_answers import ChannelAnswers
from sockudo.api.channels import ChannelHandlers
from sockudo.api.cors import Cors
from sockudo.api.events import EventHandlers
from sockudo.api.health import HealthHandlers
from sockudo.api.messages import Request, Response
from sockudo.api.outage import Outage
from sockudo.api.routes import Routes
from sockudo.api.throttle import ClientNames, Throttle
from sockudo.api.users import UserHandlers
from sockudo.apps.app import App
from sockudo.cache.base import Cache
from sockudo.eventual import Eventual
from sockudo.ratelimit.base import Limit
from sockudo.ratelimit.counters import RateLimitCounters
from sockudo.ratelimit.memory import MemoryRateLimiter
from sockudo.server.gates import NodeGates
from sockudo.server.health import HealthChecks
from tests.clients.signing import query_string, signed_params
from tests.fakes.eventual import now
from tests.fakes.node import KEY, SECRET, World

ANY_ORIGIN = Cors(["*"], ["GET", "POST"], ["Content-Type"], credentials=True)


class Api:
    """The routes over a node, and a back end that knows an app's secret."""

    def __init__(
        self,
        *apps: App,
        prefix: str = "",
        cors: Cors = ANY_ORIGIN,
        requests_per_minute: int | None = None,
        unknown_channel_not_found: bool = False,
        cache: Cache | None = None,
        max_answer_bytes: int = 10_000,
    ) -> None:
        self.world = world = World(*apps, cache=cache)
        self.prefix = prefix
        self.quotas = world.node.quotas
        throttle = None
        if requests_per_minute is not None:
            limit = Limit(requests_per_minute, 60)
            throttle = Throttle(
                MemoryRateLimiter(world.clock),
                limit,
                name="api",
                clients=ClientNames(),
                outage=Outage(world.clock, is_open=False),
            )
        slices = world.node.slices
        answers = ChannelAnswers(world.queries, slices, max_answer_bytes)
        self.routes = Routes(
            apps=world.apps,
            authenticator=Authenticator(prefix),
            clock=world.clock,
            events=EventHandlers(world.publisher, answers, self.quotas, world.gauge, slices),
            channels=ChannelHandlers(
                world.queries, self.quotas, answers, unknown_channel_not_found=unknown_channel_not_found
            ),
            users=UserHandlers(world.node),
            health=HealthHandlers(HealthChecks(world.apps, NodeGates(world.node, world.gauge)), lambda: world.memory),
            cors=cors,
            throttle=throttle,
            limited=RateLimitCounters(),
            refusals=world.node.refusals,
            totals=world.node.hub.totals,
            path_prefix=prefix,
        )

    def raw(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        peer: str = "192.0.2.1",
    ) -> Response:
        """Make a request as given."""
        pairs = [(name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
        return now(self.routes.handle(Request(method, path, query, pairs, body, peer)))

    def signed(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        params: Mapping[str, str] | None = None,
        **credentials: Any,
    ) -> Response:
        """Make a signed request to a path."""
        return self.raw(method, path, self.query(method, path, body, params, **credentials), body)

    def get(self, path: str, **params: str) -> Response:
        """GET a path below the app."""
        return self.signed("GET", f"{self.prefix}/apps/{self.world.app.id}{path}", params=params)

    def post_later(self, path: str, body: object, **params: str) -> Eventual[Response]:
        """POST a JSON body to a path below the app; a store may have to be waited for."""
        raw, path = json.dumps(body).encode(), f"{self.prefix}/apps/{self.world.app.id}{path}"
        return self.routes.handle(Request("POST", path, self.query("POST", path, raw, params), [], raw, "192.0.2.1"))

    def post(self, path: str, body: object = b"", **params: str) -> Response:
        """POST a JSON body to a path below the app."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.signed("POST", f"{self.prefix}/apps/{self.world.app.id}{path}", raw, params)

    def query(
        self, method: str, path: str, body: bytes = b"", params: Mapping[str, str] | None = None, **credentials: Any
    ) -> str:
        """Return the signed query of a request."""
        values: dict[str, Any] = {"key": KEY, "secret": SECRET, "timestamp": int(self.world.clock.now())}
        return query_string(signed_params(method, path, params or {}, body=body, **(values | credentials)))


def json_of(response: Response) -> Any:
    """Return the JSON of a success."""
    assert response.status == 200, (response.status, response.body)
    assert response.content_type == "application/json"
    return json.loads(response.body)


def error_of(response: Response) -> tuple[int, str]:
    """Return status and text of an error, and check that its body is the one of every error."""
    assert response.content_type == "application/json"
    body = json.loads(response.body)
    assert set(body) == {"error", "code"}
    assert body["code"] == response.status
    assert isinstance(body["error"], str)
    assert body["error"]
    return response.status, body["error"]


def header(response: Response, name: str) -> str | None:
    """Return the value of a header that comes at most once."""
    values = [value for key, value in response.fields() if key.lower() == name.lower()]
    assert len(values) <= 1
    return values[0] if values else None
