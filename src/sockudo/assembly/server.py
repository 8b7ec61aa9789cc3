"""Puts the parts of a server together as the settings ask; it starts nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from sockudo.api.auth import Authenticator
from sockudo.api.channel_answers import ChannelAnswers
from sockudo.api.channels import ChannelHandlers
from sockudo.api.cors import Cors
from sockudo.api.event_routes import EventRoutes
from sockudo.api.health import HealthHandlers
from sockudo.api.outage import Outage
from sockudo.api.quick_events import QuickEvents
from sockudo.api.routes import Routes
from sockudo.api.throttle import ClientNames, Throttle
from sockudo.api.users import UserHandlers
from sockudo.assembly.listening import listening_from_settings
from sockudo.assembly.makers.plain import PLAIN, Makers
from sockudo.assembly.metrics import metrics_from_settings
from sockudo.assembly.side_ports import side_ports_from_settings
from sockudo.assembly.stores import Stores, stores_from_settings
from sockudo.assembly.webhooks import needs_webhooks, service_from_settings
from sockudo.bus.base import Adapter, ConfirmingAdapter
from sockudo.cluster.local import NoPeers
from sockudo.cluster.peers import Peers
from sockudo.cluster.times import ClusterTimes
from sockudo.config.model import Settings
from sockudo.hub.hub import Hub
from sockudo.hub.outbox import Flusher
from sockudo.node.cached_events import CachedEvents
from sockudo.node.limits import NodeLimits
from sockudo.node.memory import MemoryGauge, RecentMemory
from sockudo.node.node import Node
from sockudo.node.publisher import Publisher
from sockudo.node.queries import Queries
from sockudo.node.remote_events import RemoteEvents
from sockudo.node.session import Session
from sockudo.node.subscriptions import Subscriptions
from sockudo.node.view import View
from sockudo.ratelimit.area import Area
from sockudo.ratelimit.base import Limit, RateLimiter
from sockudo.ratelimit.counters import RateLimitCounters
from sockudo.ratelimit.memory import MemoryRateLimiter
from sockudo.ratelimit.networks import Networks
from sockudo.server.compression import Compression
from sockudo.server.front import Front
from sockudo.server.gates import NodeGates
from sockudo.server.health import HealthChecks
from sockudo.server.housekeeping import Housekeeping
from sockudo.server.http.answers import Answers
from sockudo.server.http.body_budget import BodyBudget
from sockudo.server.http.service import HttpContext
from sockudo.server.server import Server
from sockudo.server.timeouts import Timeouts
from sockudo.server.turn_budget import TurnBudget
from sockudo.server.websocket import WebSocketContext
from sockudo.supervisor.listening.side_ports import SidePorts, SideSockets
from sockudo.timing.clock import Clock
from sockudo.webhooks.base import NoWebhooks, WebhookEvents
from sockudo.webhooks.service import WebhookService

if TYPE_CHECKING:
    from sockudo.metrics.service import MetricsService

_KILOBYTE: Final = 1024
_MEGABYTE: Final = 1024 * 1024
# How long spans may take to leave when the server stops.
_EXPORT_SECONDS: Final = 2.0
_DEFAULT_TIMES: Final = ClusterTimes()


@dataclass(frozen=True, slots=True)
class Assembly:
    """A server that has been put together."""

    server: Server
    node: Node
    front: Front
    remote_events: RemoteEvents
    stores: Stores
    webhooks: WebhookService | None
    metrics: MetricsService | None
    makers: Makers
    side_ports: SidePorts

    async def start(self, sockets: Sequence[socket] = (), side: SideSockets | None = None) -> list[tuple[str, int]]:
        """Join the cluster, then listen, on sockets that are bound where they are given; return the addresses.

        Args:
            side: the sockets of the other ports, where another process has opened them.

        Raises:
            ConfigError: an app of the settings cannot be put into the database.
            DriverError: a store or the bus cannot be used.
            ListenError: the address cannot be had.
            TlsError: the files of TLS cannot be used.
        """
        side = self.side_ports.open() if side is None else side
        try:
            return await self._start(sockets, side)
        except BaseException:
            self.server.close()
            side.close()
            if self.metrics is not None:
                await self.metrics.aclose()
            raise

    async def _start(self, sockets: Sequence[socket], side: SideSockets) -> list[tuple[str, int]]:
        changed = await self.stores.start()
        if self.webhooks is not None:
            await self.webhooks.start()
        try:
            reports = None if self.webhooks is None else self.webhooks.webhooks.transitions
            await self.node.peers.start(self.remote_events, reports)
            for app_id in changed:
                self.node.peers.app_changed(app_id)
            if self.webhooks is not None:
                self.webhooks.webhooks.begin()
            addresses = await self.server.start(sockets, side.redirect)
            if self.metrics is not None:
                await self.metrics.start(addresses[0][1], side.metrics)
            return addresses
        except BaseException:
            if self.webhooks is not None:
                await self.webhooks.aclose()
            raise

    async def stop(self, seconds: float = 0.0) -> None:
        """Drop what is left, and leave the cluster; webhooks may take so many seconds to be sent."""
        deadline = self.node.clock.monotonic() + seconds
        await self.server.stop()
        if self.webhooks is not None:
            # Before the others are left: what is held is told by one of them, or here.
            await self.webhooks.webhooks.leave(seconds)
        await self.node.peers.aclose()
        if self.webhooks is not None:
            await self.webhooks.aclose(max(0.0, deadline - self.node.clock.monotonic()))
        if self.metrics is not None:
            await self.metrics.aclose()
        await self.stores.aclose()
        await self.makers.aclose(_EXPORT_SECONDS)


class SharedByWorkers(NamedTuple):
    """What the workers of one supervisor share.

    Attributes:
        place: that of this worker among them.
        worker_sockets: the directory of their sockets, and the serial number of this worker.
        area: the memory in which they all count what is limited.
    """

    place: int
    worker_sockets: tuple[Path, int]
    area: Area


@dataclass(frozen=True, slots=True)
class _NodeParts:
    """A node and its use cases."""

    node: Node
    memory: MemoryGauge
    publisher: Publisher
    queries: Queries
    session: Session
    remote_events: RemoteEvents
    makers: Makers


def assemble(
    settings: Settings,
    clock: Clock,
    adapter: Adapter | None = None,
    times: ClusterTimes = _DEFAULT_TIMES,
    stores: Stores | None = None,
    shared: SharedByWorkers | None = None,
    makers: Makers = PLAIN,
) -> Assembly:
    """Put a server together; nothing is started, and no socket is open.

    Args:
        adapter: how to reach the other nodes; None for a node that is alone.
        stores: others than those that the settings ask for.
        shared: what this process has in common with the other workers of its machine, if it is one of several.
        makers: makes the parts that can be traced.

    Raises:
        ConfigError: a driver lacks a setting.
        MissingExtraError: what a driver needs is not installed.
    """
    area = None if shared is None else shared.area
    stores = stores or stores_from_settings(settings, clock, area)
    hub = makers.hub(Flusher(clock.call_soon))
    peers: Peers = NoPeers() if adapter is None else makers.cluster(hub, adapter, clock, times)
    webhooks = None
    if needs_webhooks(settings):
        view = View(hub, peers.replica)
        webhooks = service_from_settings(settings, stores.apps, view, peers, clock, times, makers)
    events = NoWebhooks() if webhooks is None else webhooks.webhooks
    parts = _node_parts(settings, clock, hub, peers, stores, events, makers)
    if area is not None and settings.adapter.driver == "local":
        # Every node there is counts in it.
        parts.node.quotas.share(MemoryRateLimiter(clock, area))
    checks = dict(stores.other_checks)
    if webhooks is not None:
        checks["queue"] = webhooks.check
    patience = settings.health_check_timeout_ms / 1000
    health = HealthChecks(stores.apps, NodeGates(parts.node, parts.memory), stores.checks, checks, patience)
    front = _front(settings, clock, parts, stores, health, _after_bus(adapter, clock))
    server = Server(front, parts.node, listening_from_settings(settings, front, clock))
    metrics = metrics_from_settings(
        settings,
        parts.node,
        parts.publisher,
        front,
        webhooks,
        0 if shared is None else shared.place,
        None if shared is None else shared.worker_sockets,
    )
    side_ports = side_ports_from_settings(settings)
    return Assembly(server, parts.node, front, parts.remote_events, stores, webhooks, metrics, makers, side_ports)


def _node_parts(
    settings: Settings, clock: Clock, hub: Hub, peers: Peers, stores: Stores, webhooks: WebhookEvents, makers: Makers
) -> _NodeParts:
    memory = MemoryGauge(settings.http_api.accept_traffic.memory_threshold, clock)
    limits = _node_limits(settings)
    node = Node(hub, stores.apps, peers, limits, clock, memory, webhooks)
    cached_events = CachedEvents(stores.cache, limits.cache_ttl, clock, peers)
    publisher = makers.publisher(hub, stores.apps, peers, cached_events, webhooks)
    return _NodeParts(
        node=node,
        memory=memory,
        publisher=publisher,
        queries=Queries(node.view, cached_events),
        session=Session(node, Subscriptions(node, cached_events), publisher),
        remote_events=makers.remote_events(node, cached_events),
        makers=makers,
    )


def _front(
    settings: Settings,
    clock: Clock,
    parts: _NodeParts,
    stores: Stores,
    health: HealthChecks,
    after_bus: Callable[[Callable[[], None]], object] | None,
) -> Front:
    cors = Cors(
        settings.cors.origin,
        settings.cors.methods,
        settings.cors.allowed_headers,
        credentials=settings.cors.credentials,
    )
    answers, limited = Answers(cors.common, clock.now()), RateLimitCounters()
    http_api = settings.http_api
    sweep_every = settings.cache.memory.cleanup_interval

    def every_second() -> None:
        answers.renew(clock.now())
        # The log says when the gate opens although nobody comes.
        parts.memory.is_over_threshold()
        front.room.look()
        parts.node.capacity.look()

    housekeeping = Housekeeping(every_second, stores.sweep, sweep_every)
    routes = _routes(settings, parts, stores, health, cors, limited)
    front = Front(
        apps=stores.apps,
        routes=routes,
        websockets=_websockets(settings, parts, Timeouts(clock, housekeeping.tick)),
        http=HttpContext(
            answers=answers,
            max_body_bytes=http_api.request_limit_in_mb * _MEGABYTE,
            # A single body of full size always fits.
            bodies=BodyBudget(max(http_api.max_bodies_in_flight_mb, http_api.request_limit_in_mb) * _MEGABYTE),
            needs_peer=stores.limiter is not None,
            after_bus=after_bus,
            quick_events=_quick_events(parts, stores, cors, routes, limited, settings.path_prefix),
        ),
        throttle=_throttle(settings, clock, "websocket", stores.limiter),
        limited=limited,
        app_path=f"{settings.path_prefix}/app/" if settings.server_role == "default" else None,
    )
    return front


def _after_bus(adapter: Adapter | None, clock: Clock) -> Callable[[Callable[[], None]], object] | None:
    """Return how an answer waits for the messages that its request put on the bus."""
    if adapter is None:
        return None
    return adapter.after_taken if isinstance(adapter, ConfirmingAdapter) else clock.call_soon


def _routes(
    settings: Settings, parts: _NodeParts, stores: Stores, health: HealthChecks, cors: Cors, limited: RateLimitCounters
) -> Routes:
    node, queries, quotas, clock = parts.node, parts.queries, parts.node.quotas, parts.node.clock
    channel_answers = ChannelAnswers(queries, node.slices, settings.http_api.response_limit_in_mb * _MEGABYTE)
    has_clients = settings.server_role == "default"
    events = parts.makers.events(parts.publisher, channel_answers, quotas, parts.memory, node.slices)
    events.answers_info = has_clients
    routes = Routes if has_clients else EventRoutes
    return routes(
        apps=stores.apps,
        authenticator=Authenticator(settings.path_prefix),
        clock=clock,
        events=events,
        channels=ChannelHandlers(
            queries, quotas, channel_answers, unknown_channel_not_found=settings.http_api.unknown_channel_not_found
        ),
        users=UserHandlers(node),
        health=HealthHandlers(health, RecentMemory(clock).read),
        cors=cors,
        throttle=_throttle(settings, clock, "api", stores.limiter),
        limited=limited,
        refusals=node.refusals,
        totals=node.hub.totals,
        path_prefix=settings.path_prefix,
    )


def _quick_events(
    parts: _NodeParts, stores: Stores, cors: Cors, routes: Routes, limited: RateLimitCounters, path_prefix: str
) -> QuickEvents | None:
    decides_at_once = stores.limiter is None or isinstance(stores.limiter, MemoryRateLimiter)
    if not decides_at_once or cors.looks_at_requests or parts.makers.traces:
        return None
    return QuickEvents(
        apps=stores.apps,
        events=routes.events,
        clock=parts.node.clock,
        totals=parts.node.hub.totals,
        failures=routes,
        throttle=None if routes.throttle is None else (routes.throttle, limited.http_api),
        path_prefix=path_prefix,
    )


def _websockets(settings: Settings, parts: _NodeParts, timeouts: Timeouts) -> WebSocketContext:
    websocket = settings.websocket
    return WebSocketContext(
        node=parts.node,
        session=parts.session,
        timeouts=timeouts,
        turn=TurnBudget(parts.node.clock),
        max_message_bytes=settings.websocket_max_payload_kb * _KILOBYTE,
        max_buffer_bytes=websocket.max_buffer_kb * _KILOBYTE,
        compression=(
            None
            if websocket.compression == "disabled"
            else Compression(websocket.compression_min_bytes, parts.node.clock)
        ),
    )


def _node_limits(settings: Settings) -> NodeLimits:
    return NodeLimits(
        activity_timeout=settings.activity_timeout,
        user_authentication_timeout=settings.user_authentication_timeout,
        cache_ttl=settings.channel_limits.cache_ttl,
        max_channels_per_connection=settings.channel_limits.max_channels_per_connection,
        max_connections=settings.max_connections,
    )


def _throttle(
    settings: Settings, clock: Clock, name: Literal["api", "websocket"], limiter: RateLimiter | None
) -> Throttle | None:
    if limiter is None:
        return None
    rates = settings.rate_limiter
    limit = rates.api_rate_limit if name == "api" else rates.websocket_rate_limit
    requests = Limit(limit.max_requests, limit.window_seconds)
    # Behind a PROXY header that names the client, what the client itself writes counts only where that is wanted.
    narrows = rates.trusted_networks or settings.proxy_protocol.networks
    trusted = Networks(rates.trusted_networks) if narrows else None
    clients = ClientNames(limit.trust_hops, rates.ipv6_prefix, trusted)
    outage = Outage(clock, is_open=rates.on_store_error == "open")
    return Throttle(limiter, requests, name=name, clients=clients, outage=outage)
