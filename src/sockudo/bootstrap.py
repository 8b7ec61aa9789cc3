"""Settings -> a running server: makes the parts, starts them in order, stops them in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from socket import socket

from sockudo.adapter_options import Link, link_from_settings
from sockudo.api.auth import Authenticator
from sockudo.api.channels import ChannelHandlers
from sockudo.api.cors import Cors
from sockudo.api.events import EventHandlers
from sockudo.api.health import HealthHandlers
from sockudo.api.quotas import AppQuotas
from sockudo.api.routes import Routes
from sockudo.api.throttle import Throttle
from sockudo.api.users import UserHandlers
from sockudo.apps.app import App
from sockudo.apps.memory import MemoryAppManager
from sockudo.apps.origins import AllowedOrigins
from sockudo.cache.memory import MemoryCache
from sockudo.cache.none import NoCache
from sockudo.clock import Clock, LoopClock
from sockudo.cluster.base import Adapter
from sockudo.cluster.cluster import Cluster, ClusterTimes
from sockudo.cluster.local import NoPeers
from sockudo.cluster.peers import Peers
from sockudo.config.app import AppSettings
from sockudo.config.model import Settings
from sockudo.config.rate_limiter import ApiRateLimit, WebSocketRateLimit
from sockudo.hub.hub import Hub
from sockudo.hub.outbox import Flusher
from sockudo.log import get_logger
from sockudo.node.cached_events import CachedEvents
from sockudo.node.limits import NodeLimits
from sockudo.node.memory import MemoryGauge
from sockudo.node.node import Node
from sockudo.node.publisher import Publisher
from sockudo.node.queries import Queries
from sockudo.node.remote_events import RemoteEvents
from sockudo.node.session import Session
from sockudo.node.subscriptions import Subscriptions
from sockudo.pusher.signatures import Signer
from sockudo.pusher.triggers import TriggerLimits
from sockudo.ratelimit.base import Limit
from sockudo.ratelimit.memory import MemoryRateLimiter
from sockudo.server.answers import Answers
from sockudo.server.front import Front
from sockudo.server.housekeeping import Housekeeping
from sockudo.server.open_files import raise_limit
from sockudo.server.server import Server
from sockudo.server.stopping import Stopping
from sockudo.server.timeouts import Timeouts
from sockudo.server.websocket import WebSocketContext
from sockudo.server.worker import Worker

_log = get_logger("sockudo")


_KILOBYTE = 1024
_DEFAULT_TIMES = ClusterTimes()
# Workers share a machine: no network between them can be slow, and who is silent is dead.
_WORKER_TIMES = ClusterTimes(heartbeat_interval=0.5, node_timeout=3.0, introduction=0.05)
_MEGABYTE = 1024 * 1024


def app_from_settings(app: AppSettings, settings: Settings) -> App:
    """Return an app with the limits that it leaves open taken from the global ones."""

    def limit(own: int | None, everyones: int) -> int:
        return everyones if own is None else own

    events, presence = settings.event_limits, settings.presence
    return App(
        id=app.id,
        key=app.key,
        signer=Signer(app.secret),
        publishing=TriggerLimits(
            max_channels=limit(app.max_event_channels_at_once, events.max_channels_at_once),
            max_name_length=limit(app.max_event_name_length, events.max_name_length),
            max_payload_bytes=limit(app.max_event_payload_in_kb, events.max_payload_in_kb) * _KILOBYTE,
            max_batch_size=limit(app.max_event_batch_size, events.max_batch_size),
            max_channel_name_length=limit(app.max_channel_name_length, settings.channel_limits.max_name_length),
        ),
        enabled=app.enabled,
        max_connections=app.max_connections,
        enable_client_messages=app.enable_client_messages,
        max_client_events_per_second=app.max_client_events_per_second,
        max_backend_events_per_second=app.max_backend_events_per_second,
        max_read_requests_per_second=app.max_read_requests_per_second,
        max_presence_members=limit(app.max_presence_members_per_channel, presence.max_members_per_channel),
        max_presence_member_bytes=limit(app.max_presence_member_size_in_kb, presence.max_member_size_in_kb) * _KILOBYTE,
        enable_user_authentication=app.enable_user_authentication,
        enable_watchlist_events=app.enable_watchlist_events,
        enable_subscription_count=app.enable_subscription_count,
        origins=AllowedOrigins(app.allowed_origins) if app.allowed_origins else None,
    )


@dataclass(frozen=True, slots=True)
class Assembly:
    """A server that has been put together."""

    server: Server
    node: Node
    front: Front
    remote_events: RemoteEvents

    async def start(self, sockets: Sequence[socket] = ()) -> list[tuple[str, int]]:
        """Join the cluster, then listen, on sockets that are bound where they are given; return the addresses.

        Raises:
            DriverError: the bus cannot be used.
            OSError: the address cannot be had.
        """
        await self.node.peers.start(self.remote_events)
        return await self.server.start(sockets)

    async def stop(self) -> None:
        """Drop what is left, and leave the cluster."""
        await self.server.stop()
        await self.node.peers.aclose()


def assemble(
    settings: Settings, clock: Clock, adapter: Adapter | None = None, times: ClusterTimes = _DEFAULT_TIMES
) -> Assembly:
    """Put a server together; nothing is started, and no socket is open.

    Args:
        adapter: how to reach the other nodes; None for a node that is alone.
    """
    apps = MemoryAppManager(app_from_settings(app, settings) for app in settings.apps)
    hub = Hub(Flusher(clock.call_soon))
    memory = MemoryGauge(settings.http_api.accept_traffic.memory_threshold, clock)
    limits = _node_limits(settings)
    peers: Peers = NoPeers() if adapter is None else Cluster(hub, adapter, clock, times)
    node = Node(hub, apps, peers, limits, clock, memory)
    cache = _cache(settings, clock)
    cached_events = CachedEvents(cache, limits.cache_ttl)
    publisher = Publisher(hub, peers, cached_events)
    cors = _cors(settings)
    api_throttle, socket_throttle = _throttles(settings, clock)
    quotas, queries = AppQuotas(clock), Queries(node.view, cached_events)
    routes = Routes(
        apps=apps,
        authenticator=Authenticator(settings.path_prefix),
        clock=clock,
        events=EventHandlers(publisher, queries, quotas, memory),
        channels=ChannelHandlers(
            queries, quotas, unknown_channel_not_found=settings.http_api.unknown_channel_not_found
        ),
        users=UserHandlers(node),
        health=HealthHandlers(apps, lambda: node.is_ready),
        cors=cors,
        throttle=api_throttle,
        path_prefix=settings.path_prefix,
    )
    answers = Answers(cors.common, clock.now())
    housekeeping = Housekeeping(lambda: answers.renew(clock.now()), cache.sweep, settings.cache.memory.cleanup_interval)
    session = Session(node, Subscriptions(node, cached_events), publisher)
    front = Front(
        routes=routes,
        websockets=_websockets(settings, node, session, Timeouts(clock, housekeeping.tick)),
        answers=answers,
        throttle=socket_throttle,
        path_prefix=settings.path_prefix,
        max_body_bytes=settings.http_api.request_limit_in_mb * _MEGABYTE,
        needs_peer=settings.rate_limiter.enabled,
    )
    return Assembly(Server(front, node, settings.host, settings.port), node, front, RemoteEvents(node, cached_events))


def _websockets(settings: Settings, node: Node, session: Session, timeouts: Timeouts) -> WebSocketContext:
    return WebSocketContext(
        node=node,
        session=session,
        timeouts=timeouts,
        max_message_bytes=settings.websocket_max_payload_kb * _KILOBYTE,
        max_buffer_bytes=settings.websocket.max_buffer_kb * _KILOBYTE,
    )


def _cache(settings: Settings, clock: Clock) -> MemoryCache | NoCache:
    return MemoryCache(settings.cache.memory.max_capacity, clock) if settings.cache.driver == "memory" else NoCache()


def _node_limits(settings: Settings) -> NodeLimits:
    return NodeLimits(
        activity_timeout=settings.activity_timeout,
        user_authentication_timeout=settings.user_authentication_timeout,
        cache_ttl=settings.channel_limits.cache_ttl,
    )


def _cors(settings: Settings) -> Cors:
    cors = settings.cors
    return Cors(cors.origin, cors.methods, cors.allowed_headers, credentials=cors.credentials)


def _throttles(settings: Settings, clock: Clock) -> tuple[Throttle | None, Throttle | None]:
    """Return the limits of requests and of new connections; None for both where they are switched off."""
    if not settings.rate_limiter.enabled:
        return None, None
    limiter = MemoryRateLimiter(clock)

    def throttle(limit: ApiRateLimit | WebSocketRateLimit, name: str) -> Throttle:
        requests = Limit(limit.max_requests, limit.window_seconds)
        return Throttle(limiter, requests, name=name, trust_hops=limit.trust_hops)

    return (
        throttle(settings.rate_limiter.api_rate_limit, "api"),
        throttle(settings.rate_limiter.websocket_rate_limit, "websocket"),
    )


def run(
    settings: Settings,
    on_start: Callable[[list[tuple[str, int]]], None],
    worker: Worker | None = None,
    link: Link | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status.

    Args:
        on_start: called with the addresses once the server listens.
        worker: what a supervisor has given to this process, which is one of several.
        link: how to reach the other nodes, and the times of the cluster; None for what the settings say.

    Raises:
        ConfigError: a driver lacks a setting.
        DriverError: the bus cannot be used.
        MissingExtraError: what a driver needs is not installed.
        OSError: the address cannot be had.
    """
    raise_limit()
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        return runner.run(_serve(settings, on_start, worker, link))


async def _serve(
    settings: Settings, on_start: Callable[[list[tuple[str, int]]], None], worker: Worker | None, link: Link | None
) -> int:
    loop = asyncio.get_running_loop()
    stopping = Stopping()
    stopping.listen(loop)
    if worker is not None:
        await worker.follow(stopping)
    clock = LoopClock(loop)
    adapter, times = link or link_from_settings(settings)
    if worker is not None and adapter is None:
        adapter, times = worker.adapter(), _WORKER_TIMES
    assembly = assemble(settings, clock, adapter, times)
    addresses = await assembly.start(worker.sockets if worker is not None else ())
    _settle_memory()
    on_start(addresses)
    if worker is not None:
        worker.ready()
    await stopping.asked()
    _log.info("shutting down", reason=stopping.reason, grace_period=settings.shutdown_grace_period)
    await _drain_unless_hurried(assembly.server, settings.shutdown_grace_period, stopping)
    await assembly.stop()
    if worker is not None:
        worker.tidy()
    _log.info("stopped")
    return 0


async def _drain_unless_hurried(server: Server, grace: float, stopping: Stopping) -> None:
    """Leave in order; a second signal ends it at once."""
    drain = asyncio.ensure_future(server.drain(grace, linger=stopping.linger))
    hurry = asyncio.ensure_future(stopping.hurried())
    await asyncio.wait({drain, hurry}, return_when=asyncio.FIRST_COMPLETED)
    for task in (drain, hurry):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _settle_memory() -> None:
    """Keep the collector from going through every connection again and again.

    What is there now stays for ever. Connections are freed by their reference counts; the collector is only for
    accidental cycles, and can wait for more of them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
